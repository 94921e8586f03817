import { createLogger } from '@fleetroot/service'
import { expect, test } from 'vitest'
import { BrokerError } from '../error.ts'
import { type Publication, Store } from '../store/store.ts'
import { identity, startBenchEngine } from '../testing/bench-engine.ts'

/** A store that does not keep messages on topics that end in its name for why not. */
class FussyStore extends Store {
  override accept(publication: Publication): Promise<unknown> | undefined {
    if (publication.topic.endsWith('bug')) return Promise.reject(new TypeError('nobody foresaw this'))
    if (publication.topic.endsWith('full')) return Promise.reject(new BrokerError('store-failed', 'full'))
    return super.accept(publication)
  }
}

test.each([
  ['bug', 'internal-error'],
  ['full', 'store-failed'],
])(
  'a message that the store does not take for the reason "%s" is not acknowledged: its session ends with %s',
  async (why, reason) => {
    const log = createLogger({ name: 'broker', level: 'silent' })
    const bench = await startBenchEngine({}, { store: new FussyStore({ log, now: () => bench.time }) })
    const eve = await bench.connect(identity('device', 'eve'))
    const bob = await bench.connect(identity('device', 'bob'))
    await expect(eve.publish(`devices/eve/telemetry/${why}`)).rejects.toThrow('ended before puback')
    expect(bench.counts.ended.get(reason)).toBe(1)
    await bob.publish('devices/bob/telemetry')
    await bench.engine.close()
  },
)
