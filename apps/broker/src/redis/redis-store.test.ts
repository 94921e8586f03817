import { createLogger } from '@fleetroot/service'
import { expect, test } from 'vitest'
import { BrokerError } from '../error.ts'
import { StoreCounts } from '../store/counts.ts'
import type { Publication } from '../store/store.ts'
import { Image } from './image.ts'
import type { Live } from './live.ts'
import type { RedisNode } from './node.ts'
import { RedisJournal } from './redis-journal.ts'
import { RedisStore } from './redis-store.ts'

/** A store whose calls of scripts the test answers. */
function startStore(run: (name: string) => Promise<unknown>) {
  const failures: unknown[] = []
  const state: { failure: BrokerError | undefined } = { failure: undefined }
  const node = {
    id: 'one',
    run,
    fail: (cause: unknown) => {
      failures.push(cause)
      state.failure = new BrokerError('store-failed', 'nothing is acknowledged', { cause })
    },
    get failure() {
      return state.failure
    },
  } as unknown as RedisNode
  const journal = new RedisJournal({
    counts: new StoreCounts(),
    write: async () => [Buffer.from('0'), Buffer.from('0')],
    failure: () => state.failure,
    onFailure: (cause) => node.fail(cause),
    onWritten: () => undefined,
  })
  const image: Image = new Image(
    'fleetroot',
    journal,
    () => node,
    () => store,
  )
  const store: RedisStore = new RedisStore({
    journal,
    node,
    image,
    live: {} as Live,
    budget: {} as RedisStore['budget'],
    maxUnacknowledged: 10,
    log: createLogger({ name: 'broker', level: 'silent' }),
    now: () => 1_700_000_000_000,
  })
  store.subscribe(store.session('device/eve/eve'), 'devices/eve/#', { qos: 1 })
  const accept = (mayQueue: Publication['mayQueue']): Promise<unknown> | undefined =>
    store.accept({
      topic: 'devices/eve/t',
      payload: Buffer.from('x'),
      qos: 1,
      retain: false,
      owner: undefined,
      mayQueue,
    })
  return { accept, failures, state }
}

const ok = async (): Promise<unknown> => [Buffer.from('ok')]

test('an error of ours about one message refuses that message, and the next one is taken', async () => {
  const { accept, failures } = startStore(ok)
  const bug = new TypeError('nobody foresaw this')
  const refused = accept(() => {
    throw bug
  })
  await expect(refused).rejects.toBe(bug)
  expect(failures).toEqual([])
  expect(await accept(() => true)).toBe('ok')
})

test('the same when it is the script that goes wrong', async () => {
  const bug = new Error(
    "ERR user_script:9: attempt to index local 'entry' (a nil value) script: 12ab, on @user_script:9.",
  )
  const { accept, failures } = startStore(() => Promise.reject(bug))
  await expect(accept(() => true)).rejects.toBe(bug)
  expect(failures).toEqual([])
})

test.each([
  "OOM command not allowed when used memory > 'maxmemory'. script: 12ab, on @user_script:9.",
  'FENCED this node is not one of those that share the store',
  'Connection is closed.',
])('when Redis says "%s" nothing more is acknowledged', async (message) => {
  const { accept, failures } = startStore(() => Promise.reject(new Error(message)))
  await expect(accept(() => true)).rejects.toMatchObject({ code: 'store-failed' })
  expect(failures).toMatchObject([{ message }])
})
