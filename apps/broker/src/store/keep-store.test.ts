import { rename } from 'node:fs/promises'
import { temporaryFolder } from '@fleetroot/harness'
import { createLogger, loadConfig, openDataDirectory } from '@fleetroot/service'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { settings } from '../settings.ts'
import { StoreCounts } from './counts.ts'
import { keepStore } from './keep-store.ts'
import type { Store } from './store.ts'

let folder: ReturnType<typeof temporaryFolder>
let stops: (() => void | Promise<void>)[]
let readiness: (string | undefined)[]

beforeEach(() => {
  folder = temporaryFolder()
  stops = []
  readiness = []
})
afterEach(async () => {
  for (const stop of stops) await stop()
  folder[Symbol.dispose]()
})

async function keep(...argv: string[]): Promise<Store> {
  const loaded = loadConfig({ app: 'broker', version: '1', summary: '', settings, argv, env: {} })
  if (loaded.kind !== 'config') throw new Error(loaded.text)
  return keepStore({
    config: loaded.config as Parameters<typeof keepStore>[0]['config'],
    data: await openDataDirectory(folder.path),
    counts: new StoreCounts(),
    log: createLogger({ name: 'broker', level: 'silent' }),
    onReadiness: (_check, reason) => readiness.push(reason),
    onStop: (_what, hook) => stops.push(hook),
  })
}

test('a broker is ready with its store, and not while nothing can be written, with the reason', async () => {
  const { journal } = await keep('--port=18883')
  expect(readiness).toEqual([undefined])
  const directory = `${folder.path}/broker/store/18883`
  await rename(directory, `${folder.path}/away`)
  const fill = async (): Promise<void> => {
    for (let n = 0; n < 100; n++) {
      journal.put(Buffer.from(`r-${n}`), Buffer.alloc(1024 * 1024))
      await journal.flushed()
    }
  }
  await expect(fill()).rejects.toMatchObject({ code: 'store-failed' })
  expect(readiness).toEqual([
    undefined,
    expect.stringMatching(/^the store cannot be written: .*until it can$/),
  ])
  await rename(directory, `${folder.path}/empty`).catch(() => undefined)
  await rename(`${folder.path}/away`, directory)
  await expect.poll(() => readiness.at(-1), { timeout: 60_000 }).toBeUndefined()
  expect(journal.isFailing).toBe(false)
})

test('two ports have two stores, and a path that was chosen is used as it is', async () => {
  await keep('--port=18883')
  await keep('--port=18884')
  await keep(`--store-path=${folder.path}/chosen`)
  await expect(keep('--port=18884')).rejects.toMatchObject({ code: 'store-locked' })
  const inMemory = await keep('--store=memory', '--port=18884')
  expect(inMemory.journal.flushed()).toBeUndefined()
})

test('bounds come from the configuration', async () => {
  const flags = [
    '--max-queued=7',
    '--max-queued-size=1MiB',
    '--max-queued-size-total=2MiB',
    '--max-queued-age=1h',
  ]
  const more = ['--session-expiry=2h', '--max-sessions=3', '--max-retained=8', '--max-retained-size=4KiB']
  const store = await keep('--store=memory', ...flags, ...more, '--max-retained-size-total=8KiB')
  expect(store.limits).toEqual({
    maxQueuedMessages: 7,
    maxQueuedBytes: 2 ** 20,
    maxQueuedBytesInTotal: 2 ** 21,
    maxQueuedMs: 3_600_000,
    sessionExpiryMs: 7_200_000,
    maxSessions: 3,
    maxRetainedMessages: 8,
    maxRetainedBytes: 4096,
    maxRetainedBytesInTotal: 8192,
  })
})

test.each([
  [['--store=redis'], /^store: redis needs --redis=redis:\/\/HOST:PORT$/],
  [['--store=disk', '--redis=redis://localhost'], /^store: disk and --redis contradict each other/],
  [['--store=memory', '--redis=redis://localhost'], /^store: memory and --redis contradict each other/],
  [['--store-path=/x', '--redis=redis://localhost'], /^store-path: with --redis the store is in Redis/],
  [['--redis-ca=/x'], /^--redis-ca is given without --redis: add --redis=/],
  [['--redis=redis://localhost', '--redis-ca=/x'], /^--redis-ca is for TLS: use rediss:/],
  [
    ['--redis=rediss://localhost', '--redis-ca=/no/such'],
    /^--redis-ca: trust file \/no\/such: there is no such/,
  ],
  [['--redis=rediss://localhost', '--redis-cert=/x'], /^--redis-cert and --redis-key belong together/],
  [
    ['--redis=rediss://localhost', '--redis-cert=/no/such', '--redis-key=/no/such'],
    /^--redis-cert, --redis-key: certificate file \/no\/such: there is no such file/,
  ],
  [['--redis=redis://localhost', '--redis-key=/x'], /^--redis-key is for TLS: use rediss:/],
  [
    ['--redis=redis://redis.example'],
    /^--redis: redis:\/\/ to redis\.example would send every message.*rediss:/,
  ],
  [['--redis=redis://10.0.0.7:6379/3'], /^--redis: redis:\/\/ to 10\.0\.0\.7 .*--redis-unencrypted/],
  [['--redis=redis://127.0.0.1.example'], /^--redis: redis:\/\/ to 127\.0\.0\.1\.example /],
  [['--redis=redis://[fd00::1]'], /^--redis: redis:\/\/ to fd00::1 /],
  [['--redis-unencrypted'], /^--redis-unencrypted is given without --redis: add --redis=/],
  [['--redis=rediss://localhost', '--redis-unencrypted'], /^--redis-unencrypted contradicts rediss:/],
])('%j is a mistake that names what to do', async (argv, sentence) => {
  await expect(keep(...argv)).rejects.toMatchObject({
    code: 'config',
    message: expect.stringMatching(sentence) as string,
  })
})

test('redis:// over a network is used when the operator says that something else encrypts it', async () => {
  // An address of no network (RFC 5737): nobody answers.
  const start = keep('--redis=redis://192.0.2.1', '--redis-unencrypted', '--wait=50ms')
  await expect(start).rejects.toMatchObject({ code: 'store-failed' })
})

test('a Redis that cannot be reached ends the start, with its address and without its password', async () => {
  await expect(keep('--redis=redis://me@127.0.0.1:1', '--wait=300ms')).rejects.toMatchObject({
    code: 'store-failed',
    message: expect.stringMatching(
      /^no connection to Redis at redis:\/\/me@127.0.0.1:1: .*ECONNREFUSED/,
    ) as string,
  })
  expect(readiness.at(-1)).toMatch(/^no connection to Redis/)
  expect(() =>
    loadConfig({
      app: 'broker',
      version: '1',
      summary: '',
      settings,
      argv: ['--redis=redis://me:secret@x'],
      env: {},
    }),
  ).toThrow(/must not hold a password: give it with FLEETROOT_BROKER_REDIS_PASSWORD/)
})
