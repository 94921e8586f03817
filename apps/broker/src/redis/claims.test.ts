import { createLogger } from '@fleetroot/service'
import { expect, test } from 'vitest'
import { StoreCounts } from '../store/counts.ts'
import { Store } from '../store/store.ts'
import { identity } from '../testing/bench-engine.ts'
import { Claims } from './claims.ts'
import { Image } from './image.ts'
import { RedisNode } from './node.ts'
import { RedisJournal } from './redis-journal.ts'

test('a claim that fails leaves nobody behind who waits for its session', async () => {
  const log = createLogger({ name: 'broker', level: 'silent' })
  const node = new RedisNode({
    // The discard port: nobody answers.
    address: { url: 'redis://127.0.0.1:9', prefix: 'test' },
    log,
    timeoutMs: 10_000,
    maxBehindBytes: 1_000_000,
    onHealth: () => undefined,
    member: {
      begin: async () => undefined,
      resume: async () => undefined,
      lose: async () => undefined,
      onEntry: () => undefined,
      onPause: () => undefined,
      onLeft: () => undefined,
    },
  })
  const journal = new RedisJournal({
    counts: new StoreCounts(),
    write: (words) => node.insist('write', words),
    failure: () => node.failure,
    onFailure: (cause) => node.fail(cause),
    onWritten: () => undefined,
  })
  const store = new Store({ log, now: Date.now })
  const image: Image = new Image(
    'test',
    journal,
    () => node,
    () => store,
  )
  const key = 'device/pump/pump'
  let isWaiting = true
  void image.freed(key).then(() => (isWaiting = false))
  const claim = new Claims(node, image, store).claim(key, identity('device', 'pump'), true, () => true)
  await expect(claim).rejects.toMatchObject({ code: 'store-failed' })
  expect(isWaiting).toBe(false)
  await node.close()
})
