import { parsePolicy } from '@fleetroot/policy'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { identity } from '../testing/bench-engine.ts'
import {
  type Changes,
  comeBack,
  type Generation,
  listen,
  retained,
  startGeneration,
  texts,
} from '../testing/crash.ts'
import type { WireClient } from '../testing/wire-client.ts'

let first: Generation

beforeEach(async () => {
  first = await startGeneration()
})
afterEach(async () => {
  await first.close()
})

test('a left will that is found again before anybody takes it is there once', async () => {
  const { wills } = first.opened.store
  const owner = identity('device', 'pump')
  const will = { topic: 't', payload: Buffer.alloc(0), qos: 0, retain: false } as const
  for (let beat = 0; beat < 3; beat++)
    for (const key of ['will device/pump/pump one', 'will device/pump/pump two'])
      wills.leave({ key, owner, will })
  expect(wills.left).toBe(2)
  expect(wills.takeLeft().map(({ key }) => key)).toEqual([
    'will device/pump/pump one',
    'will device/pump/pump two',
  ])
  expect(wills.left).toBe(0)
})

describe('wills after a kill', () => {
  const will = { topic: 'devices/pump/state', payload: Buffer.from('lost'), qos: 1, retain: true } as const

  async function connectWithWill(): Promise<WireClient> {
    const device = first.bench.open(identity('device', 'pump', { notAfterMs: 1_700_000_100_000 }))
    await device.connect({ clientId: 'pump', will })
    return device
  }

  test('are published: the connections were closed without a DISCONNECT', async () => {
    await listen(first, 1)
    await connectWithWill()
    const second = await first.crash()
    const service = await comeBack(second)
    const message = await service.message('devices/pump/state')
    expect(message.payload.toString()).toBe('lost')
    // Once, and retained as it was to be.
    const third = await second.crash()
    expect(third.opened.loaded.wills).toBe(0)
    expect(await retained(third, 'devices/pump/state')).toEqual(['lost'])
    expect(await texts(service)).toEqual(['lost'])
  })

  test('of clients that had left are not', async () => {
    await listen(first, 1)
    await (await connectWithWill()).leave()
    await first.opened.store.journal.flushed()
    expect((await first.crash()).opened.loaded.wills).toBe(0)
  })

  const denials: readonly [string, Changes][] = [
    ['whose certificate has ended meanwhile', { time: 1_700_000_200_000 }],
    [
      'whose topic the policy no longer allows',
      { policy: parsePolicy('version: 1\nroles: {}\n', 'policy.yaml') },
    ],
  ]
  for (const [name, changes] of denials) {
    test(`of a client ${name} are not`, async () => {
      await connectWithWill()
      const second = await first.crash(changes)
      expect(second.opened.loaded).toMatchObject({ wills: 1 })
      expect(second.bench.counts.denied.get('will not-allowed-any-more')).toBe(1)
      await second.opened.store.journal.flushed()
      expect((await second.crash()).opened.loaded.wills).toBe(0)
      expect(await retained(second, 'devices/pump/state')).toEqual([])
    })
  }
})
