import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Forger, startForger } from './forger.ts'
import { type Device, expectPublishing, expectShutOut, startSystem, type System } from '@fleetroot/harness'

// Everything passes through somebody who can repeat, reorder and make up events. He may shut devices out, which the
// lists then put right; he must not let one in.

let system: System
let forger: Forger
let revoked: Device
let held: Device
let resumed: Device

beforeAll(async () => {
  system = await startSystem({
    broker: ['--revocation-poll=1s'],
    enrollmentUrl: async (serverUrl, data) => {
      forger = await startForger(serverUrl, data)
      return forger.url
    },
  })
  revoked = await system.device('revoked', { transport: 'mqtts' })
  held = await system.device('held', { transport: 'wss' })
  resumed = await system.device('resumed', { transport: 'mqtts' })
  await Promise.all([revoked, held, resumed].map(expectPublishing))
  // Held, resumed, held: the event in the middle is the one that an attacker would like to repeat.
  for (const device of [held, resumed]) {
    await system.change(`/v1/devices/${device.id}/suspend`)
    await device.waitFor(/^offline connection-lost/m)
    await system.change(`/v1/devices/${device.id}/resume`)
    await expectPublishing(device)
  }
  const from = held.mark()
  await system.change('/v1/devices/held/suspend')
  await system.change('/v1/devices/revoked/revoke', { reason: 'keyCompromise' })
  await Promise.all([held.waitFor(/^offline/m, from), revoked.waitFor(/^offline/m)])
})
afterAll(async () => {
  await system[Symbol.asyncDispose]()
  await forger.close()
})

interface EventData {
  id: number
  type: string
  deviceId: string
  certificates: { issuer: string; serial: string }[]
}
const dataOf = (event: string): EventData => JSON.parse(/^data: (.*)$/m.exec(event)?.[1] ?? '{}') as EventData
const eventOf = (type: string, deviceId: string): EventData => {
  const found = forger.events.map(dataOf).find((data) => data.type === type && data.deviceId === deviceId)
  if (found === undefined) throw new Error(`no event ${type} of ${deviceId}`)
  return found
}
const wire = (data: EventData): string =>
  `id: ${data.id}\nevent: ${data.type}\ndata: ${JSON.stringify(data)}\n\n`
const polls = async (): Promise<number> =>
  Number(
    /^fleetroot_broker_revocation_feed_total\{what="polls"\} (\d+)/m.exec(
      await system.operations('/metrics'),
    )?.[1],
  )

async function expectNobodyIsLetIn(): Promise<void> {
  await Promise.all([revoked, held].map((device) => expectShutOut(device)))
  await expectPublishing(resumed)
}

describe('with somebody on the event stream', () => {
  test('every event that ever was is replayed, in order and backwards: nobody comes in, nobody is thrown out', async () => {
    const from = resumed.mark()
    for (const event of forger.events.slice()) forger.send(event)
    for (const event of forger.events.toReversed()) forger.send(event)
    await expectNobodyIsLetIn()
    expect(resumed.output().slice(from)).not.toContain('offline')
  })

  test.each(['revoked', 'held'] as const)(
    'a release of the device that is %s is made up, with old numbers and with new ones: it stays out',
    async (id) => {
      const { certificates } = eventOf('issued', id)
      const newest = Math.max(...forger.events.map((event) => dataOf(event).id))
      for (const number of [1, newest, newest + 1, newest + 2, newest + 1000]) {
        forger.send(wire({ id: number, type: 'resumed', deviceId: id, certificates }))
        await expectNobodyIsLetIn()
      }
    },
  )

  test('a number from far ahead does not make the broker deaf to what follows', async () => {
    const victim = await system.device('victim')
    await expectPublishing(victim)
    const { id, certificates } = eventOf('issued', 'resumed')
    forger.send(wire({ id: id + 5000, type: 'issued', deviceId: 'resumed', certificates }))
    const from = victim.mark()
    await system.change('/v1/devices/victim/revoke')
    await victim.waitFor(/^offline/m, from)
    await expectShutOut(victim)
    await expectNobodyIsLetIn()
  })

  test('an old list is given out again, as it was and as if it knew every event: nobody comes in', async () => {
    const path = '/crl/devices.crl'
    const old = forger.kept(path)
    const late = await system.device('late')
    await expectPublishing(late)
    const before = await polls()
    forger.answer(path, { ...old, headers: { ...old.headers, 'fleetroot-event-id': '999999', etag: '"x"' } })
    await system.change('/v1/devices/late/revoke')
    await late.waitFor(/^offline/m)
    await expect.poll(polls, { timeout: 60_000 }).toBeGreaterThan(before + 3)
    await expectShutOut(late)
    await expectNobodyIsLetIn()
    forger.answer(path, undefined)
  })
})
