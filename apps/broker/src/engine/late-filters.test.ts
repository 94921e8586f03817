import { parsePolicy } from '@fleetroot/policy'
import { generate } from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { identity } from '../testing/bench-engine.ts'
import { type Generation, startGeneration } from '../testing/crash.ts'

const packets = 40
const wanted = 'devices/pump/wanted'
const who = identity('device', 'pump')
const policy = parsePolicy(
  `version: 1
roles:
  device: { clientIds: ['\${id}'], publish: ['devices/\${id}/#'], subscribe: ['devices/\${id}/#'] }
`,
  'policy.yaml',
)

let generation: Generation

beforeEach(async () => {
  generation = await startGeneration({ policy })
})
afterEach(async () => {
  await generation.close()
})

/** SUBSCRIBE and UNSUBSCRIBE in turn, and at last one that gives `wanted` up. */
function flood(): Uint8Array {
  const row = Array.from({ length: packets }, (_, n) =>
    n % 2 === 0
      ? generate({
          cmd: 'subscribe',
          messageId: 100 + n,
          subscriptions: [{ topic: 'devices/pump/x', qos: 1 }],
        })
      : generate({ cmd: 'unsubscribe', messageId: 100 + n, unsubscriptions: ['devices/pump/x'] }),
  )
  return Buffer.concat([...row, generate({ cmd: 'unsubscribe', messageId: 900, unsubscriptions: [wanted] })])
}

describe('what a connection has left in its turn', () => {
  test.each(['cut', 'taken over'])('changes nothing for the next one when it was %s', async (how) => {
    const { bench, opened } = generation
    const old = await bench.connect(who, false)
    await old.subscribe(wanted)
    old.send(flood())
    await old.receive('suback')
    if (how === 'cut') old.stream.destroy()
    const next = await bench.connect(who, false)
    expect(await next.subscribe(wanted)).toEqual([1])
    // Each of these waits for the disk once, as each packet of the old connection would.
    for (let n = 0; n < packets; n++) await next.subscribe('devices/pump/y')
    const { subscriptions } = opened.store.sessions.get('device/pump/pump')!
    expect([...subscriptions.keys()].filter((filter) => filter !== 'devices/pump/x')).toEqual([
      wanted,
      'devices/pump/y',
    ])
    await next.publish('devices/pump/wanted', 'here')
    expect((await next.message('devices/pump/wanted')).payload.toString()).toBe('here')
  })
})
