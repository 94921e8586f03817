import { afterEach, describe, expect, test } from 'vitest'
import { parsePolicy } from '@fleetroot/policy'
import { type LiveBroker, startLiveBroker } from '../testing/live-broker.ts'
import type { ListenerPlan } from './open-listeners.ts'

let live: LiveBroker

afterEach(async () => {
  await live.close()
})

const lab = parsePolicy(
  "version: 1\nroles:\n  device:\n    clientIds: ['${id}']\n    publish: ['lab/#']\n    subscribe: ['lab/#']\n",
  'lab',
)
const plan = (name: string, more: Partial<ListenerPlan> = {}): ListenerPlan => ({
  name,
  kind: 'mqtts',
  host: '127.0.0.1',
  port: 0,
  mode: 'compatible',
  ...more,
})

describe('a listener with a policy of its own', () => {
  test('gives its rights to who comes through it, and to nobody else', async () => {
    live = await startLiveBroker({}, { listeners: [plan('main'), plan('lab', { policy: lab })] })
    const inside = await live.join('device', 'eve', { listener: 'lab' })
    const outside = await live.join('device', 'bob', { listener: 'main' })
    expect(await inside.subscribe('lab/#', 'devices/eve/commands/#')).toEqual([1, 128])
    expect(await outside.subscribe('lab/#', 'devices/bob/commands/#')).toEqual([128, 1])
    await outside.publish('lab/x', 'from outside')
    await inside.publish('lab/y', 'from inside')
    await inside.message('lab/y')
    expect(inside.topics).toEqual(['lab/y'])
  })

  test('refuses a role that its policy does not have', async () => {
    live = await startLiveBroker({}, { listeners: [plan('main'), plan('lab', { policy: lab })] })
    await expect(live.join('service', 'backend', { listener: 'lab' })).rejects.toThrow('ended')
    await (await live.join('service', 'backend', { listener: 'main' })).ping()
    expect(Object.fromEntries(live.broker.counts.refused)).toEqual({ 'role-without-policy': 1 })
  })

  test('takes a new policy for itself alone, at once', async () => {
    live = await startLiveBroker({}, { listeners: [plan('main'), plan('lab', { policy: lab })] })
    const inside = await live.join('device', 'eve', { listener: 'lab' })
    await inside.subscribe('lab/#')
    live.broker.setPolicy(
      parsePolicy("version: 1\nroles:\n  device: { clientIds: ['${id}'] }\n", 'none'),
      'lab',
    )
    await inside.publish('lab/x')
    expect(await inside.subscribe('lab/#')).toEqual([128])
    const outside = await live.join('device', 'bob', { listener: 'main' })
    expect(await outside.subscribe('devices/bob/commands/#')).toEqual([1])
    expect(inside.topics).toEqual([])
  })

  test('says in each line of the log which one it is', async () => {
    live = await startLiveBroker({}, { listeners: [plan('main'), plan('lab', { policy: lab })] })
    await live.join('device', 'eve', { listener: 'lab' })
    const line = live.log.find((entry) => entry.includes('certificate admitted'))!
    expect(JSON.parse(line)).toMatchObject({
      listener: 'lab',
      deviceId: 'eve',
      tlsVersion: 'TLSv1.3',
      group: 'X25519MLKEM768',
    })
    expect([...live.broker.counts.tls.keys()]).toEqual(['TLSv1.3 X25519MLKEM768 full'])
  })
})

test('a strict listener beside a compatible one speaks TLS 1.3 alone', async () => {
  live = await startLiveBroker({}, { listeners: [plan('main'), plan('strict', { mode: 'strict' })] })
  const old = { maxVersion: 'TLSv1.2' } as const
  await (await live.join('device', 'eve', { listener: 'main', ...old })).ping()
  await expect(live.join('device', 'eve', { listener: 'strict', ...old })).rejects.toThrow(/protocol version/)
})

test('a listener on IPv6 serves, and counts a /64 as one address', async () => {
  live = await startLiveBroker(
    // Not one: another program on this machine may look for something of its own at this port of localhost.
    { acceptRatePerAddress: { perSecond: 0.001, burst: 8 } },
    { listeners: [plan('six', { host: '::1' }), plan('four')] },
  )
  await (await live.join('device', 'eve', { listener: 'six' })).ping()
  const knock = async (): Promise<void> => {
    for (let n = 0; n < 8; n++) await live.join('device', 'bob', { listener: 'six' })
  }
  await expect(knock()).rejects.toThrow(/ECONNRESET|disconnected/)
  await (await live.join('device', 'bob', { listener: 'four' })).ping()
  expect(live.log.find((entry) => entry.includes('certificate admitted'))).toContain('"address":"::1"')
})

test('when one of several cannot be opened none is left open', async () => {
  live = await startLiveBroker()
  const taken = live.broker.ports.mqtts
  await expect(
    startLiveBroker({}, { listeners: [plan('one'), plan('two', { port: taken })] }),
  ).rejects.toThrow('EADDRINUSE')
})
