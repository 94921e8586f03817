import { rename, writeFile } from 'node:fs/promises'
import { readdirSync } from 'node:fs'
import { temporaryFolder } from '@fleetroot/harness'
import { createLogger } from '@fleetroot/service'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { identity, startBenchEngine } from '../testing/bench-engine.ts'
import { StoreCounts } from './counts.ts'
import { DiskJournal } from './disk-journal.ts'
import { openDatabase } from './open.ts'
import { type OpenedStore, openStore } from './open-store.ts'
import { Store } from './store.ts'

const log = createLogger({ name: 'broker', level: 'silent' })
let folder: ReturnType<typeof temporaryFolder>
let opened: OpenedStore | undefined
let health: (string | undefined)[]
let recovered: PromiseWithResolvers<void>

beforeEach(() => {
  folder = temporaryFolder()
  health = []
  recovered = Promise.withResolvers()
  opened = undefined
})
afterEach(async () => {
  await opened?.store.journal.close()
  folder[Symbol.dispose]()
})

async function open(name = 'store'): Promise<OpenedStore> {
  opened = await openStore({
    directories: [`${folder.path}/${name}`],
    log,
    now: Date.now,
    onHealth: (failure) => {
      health.push(failure?.message)
      if (failure === undefined) recovered.resolve()
    },
    retryMs: 20,
  })
  return opened
}

/** A journal, and of each group that it writes whether that was with an fsync. */
async function watched(): Promise<{ journal: DiskJournal; synced: boolean[] }> {
  const synced: boolean[] = []
  const database = await openDatabase(`${folder.path}/store`)
  const batch = database.batch.bind(database) as (
    changes: unknown,
    options: { sync: boolean },
  ) => Promise<void>
  Object.assign(database, {
    batch: (changes: unknown, options: { sync: boolean }) => {
      synced.push(options.sync)
      return batch(changes, options)
    },
  })
  const journal = new DiskJournal({
    database,
    reopen: () => openDatabase(`${folder.path}/store`),
    counts: new StoreCounts(),
    onHealth: () => undefined,
  })
  return { journal, synced }
}

/** Writes until the log of LevelDB is full and a new file has to be made. */
async function write({ store }: OpenedStore, mebibytes: number): Promise<void> {
  for (let n = 0; n < mebibytes; n++) {
    store.journal.put(Buffer.from(`r-${n}`), Buffer.alloc(1024 * 1024, n))
    await store.journal.flushed()
  }
}

describe('the journal on disk', () => {
  test('writes what came in one turn as one group, in the order in which it came', async () => {
    const { store } = await open()
    const before = store.counts.groups
    for (let n = 0; n < 100; n++) store.journal.put(Buffer.from('k'), Buffer.from(String(n)))
    store.journal.put(Buffer.from('l'), Buffer.from('x'))
    store.journal.del(Buffer.from('l'))
    await store.journal.flushed()
    expect(store.counts.groups - before).toBe(1)
    expect(store.counts.changes).toBeGreaterThanOrEqual(102)
    expect(store.journal.flushed()).toBeUndefined()
    await store.journal.close()
    const database = await openDatabase(`${folder.path}/store`)
    expect((await database.get(Buffer.from('k')))?.toString()).toBe('99')
    expect(await database.get(Buffer.from('l'))).toBeUndefined()
    await database.close()
    opened = undefined
  })

  test('spends no fsync on a group for which nobody waits, and one on what it shares a group with', async () => {
    const { journal, synced } = await watched()
    journal.put(Buffer.from('a'), Buffer.from('x'))
    await expect.poll(() => synced).toEqual([false])
    journal.del(Buffer.from('a'))
    journal.put(Buffer.from('b'), Buffer.from('x'))
    await journal.flushed()
    expect(synced).toEqual([false, true])
    expect(journal.safeGroup).toBe(2)
    await journal.close()
  })

  test('spends no fsync on a connection with a clean session, whose presence is written all the same', async () => {
    const { journal, synced } = await watched()
    const store = new Store({ journal, log, now: Date.now })
    const bench = await startBenchEngine({}, { store })
    const device = await bench.connect(identity('device', 'pump'))
    await device.publish('devices/pump/telemetry/t', 'x', { qos: 0 })
    await device.leave()
    await expect.poll(() => synced.length).toBeGreaterThan(0)
    await bench.engine.close()
    await journal.close()
    expect(synced).not.toContain(true)
    const database = await openDatabase(`${folder.path}/store`)
    expect(await database.get(Buffer.from('rfleet/presence/pump'))).toBeDefined()
    await database.close()
  })

  test('gathers changes for which nobody waits, writes them all the same, and at once when somebody does or it is closed', async () => {
    const { store } = await open()
    const { journal, counts } = store
    const turn = () => new Promise((resolve) => setImmediate(resolve))
    // The patience of the journal goes by this clock: however long a turn takes, it does not end by itself.
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const before = counts.groups
    for (let n = 0; n < 5; n++) {
      journal.put(Buffer.from(`a${n}`), Buffer.from('x'))
      await turn()
    }
    expect(counts.groups).toBe(before)
    vi.advanceTimersByTime(49)
    expect(vi.getTimerCount()).toBe(1)
    vi.advanceTimersByTime(1)
    await expect.poll(() => counts.groups).toBe(before + 1)

    const { group } = journal
    journal.put(Buffer.from('b'), Buffer.from('x'))
    await turn()
    journal.put(Buffer.from('c'), Buffer.from('x'))
    await journal.flushed()
    expect(journal.safeGroup).toBe(group)

    journal.put(Buffer.from('d'), Buffer.from('x'))
    await journal.close()
    const database = await openDatabase(`${folder.path}/store`)
    expect((await database.get(Buffer.from('d')))?.toString()).toBe('x')
    await database.close()
    opened = undefined
  })

  test('that cannot be written acknowledges nothing, says so, and writes all of it as soon as it can', async () => {
    const { store } = await open()
    // The file that is open can still be written; the next one cannot be made.
    await rename(`${folder.path}/store`, `${folder.path}/away`)
    await expect(write(opened!, 40)).rejects.toThrow(
      /^the store cannot be written: .*nothing is acknowledged until it can$/,
    )
    expect(store.journal.isFailing).toBe(true)
    expect(store.counts).toMatchObject({ isFailing: true, failures: 1 })
    store.journal.put(Buffer.from('late'), Buffer.from('x'))
    await expect(store.journal.flushed()).rejects.toThrow('cannot be written')
    // Where a directory of the same name has been made meanwhile by the attempts, it goes.
    await rename(`${folder.path}/store`, `${folder.path}/empty`).catch(() => undefined)
    await rename(`${folder.path}/away`, `${folder.path}/store`)
    await recovered.promise
    await store.journal.flushed()
    expect(health).toEqual([expect.stringContaining('cannot be written'), undefined])
    await store.journal.close()
    const database = await openDatabase(`${folder.path}/store`)
    expect((await database.get(Buffer.from('late')))?.toString()).toBe('x')
    expect((await database.get(Buffer.from('r-0')))?.length).toBe(1024 * 1024)
    await database.close()
    opened = undefined
  })
})

test('an engine whose store cannot be written acknowledges nothing and lets nobody in, until it can', async () => {
  const { store } = await open()
  const bench = await startBenchEngine({ maxDenials: 1_000 }, { store })
  const service = await bench.connect(identity('service', 'backend'), false)
  await service.subscribe('devices/#')
  await service.leave()
  const device = await bench.connect(identity('device', 'pump'))
  await rename(`${folder.path}/store`, `${folder.path}/away`)
  const payload = Buffer.alloc(120_000, 'x')
  let acknowledged = 0
  const flood = async (): Promise<void> => {
    for (;;) {
      await device.publish('devices/pump/telemetry/t', payload)
      acknowledged += 1
    }
  }
  await expect(flood()).rejects.toThrow('the connection ended before puback')
  expect(bench.counts.ended.get('store-failed')).toBe(1)
  const refused = await bench.open(identity('device', 'fan')).connect({ clientId: 'fan' })
  expect(refused.returnCode).toBe(3)
  expect(bench.counts.refused.get('store-failed')).toBe(1)
  await rename(`${folder.path}/store`, `${folder.path}/empty`).catch(() => undefined)
  await rename(`${folder.path}/away`, `${folder.path}/store`)
  await recovered.promise

  const again = await bench.connect(identity('device', 'pump'))
  await again.publish('devices/pump/telemetry/t', 'last')
  const reader = await bench.connect(identity('service', 'backend'), false)
  while (reader.messages.at(-1)?.payload.toString() !== 'last') await reader.ping()
  // What was acknowledged is there; what was not may be, as QoS 1 allows.
  expect(reader.messages.length).toBeGreaterThanOrEqual(Math.min(acknowledged, 130) + 1)
  await bench.engine.close()
})

describe('a store', () => {
  test('that another broker has open is refused, with what to do about it', async () => {
    await open()
    await expect(openDatabase(`${folder.path}/store`)).rejects.toMatchObject({
      code: 'store-locked',
      message: `another broker uses the store ${folder.path}/store; give this one its own with --store-path`,
    })
    const second = await openStore({
      directories: ['store', 'second'].map((name) => `${folder.path}/${name}`),
      log,
      now: Date.now,
    })
    expect(second.directory).toBe(`${folder.path}/second`)
    await second.store.journal.close()
  })

  const damages: readonly [string, RegExp, string | Buffer | undefined][] = [
    ['whose list of files is damaged', /^MANIFEST/, 'not a manifest'],
    ['whose list of files points nowhere', /^CURRENT/, 'MANIFEST-999999\n'],
    ['whose list of files is gone', /^CURRENT/, undefined],
  ]
  for (const [name, file, content] of damages) {
    test(`${name} is not opened, and not begun anew`, async () => {
      await write(await open(), 1)
      await opened!.store.journal.close()
      opened = undefined
      const found = readdirSync(`${folder.path}/store`).find((each) => file.test(each))!
      if (content === undefined) await rename(`${folder.path}/store/${found}`, `${folder.path}/gone`)
      else await writeFile(`${folder.path}/store/${found}`, content)
      await expect(openDatabase(`${folder.path}/store`)).rejects.toMatchObject({
        code: 'store-corrupt',
        message: expect.stringMatching(
          /^the store \S+ is damaged \(.*\); restore it from a backup, or, giving up/,
        ),
      })
    })
  }

  test('with a record that makes no sense is not opened: to skip it would lose in silence what was acknowledged', async () => {
    const { store } = await open()
    store.journal.put(Buffer.from('q'), Buffer.from('nonsense'))
    await store.journal.close()
    opened = undefined
    await expect(open()).rejects.toMatchObject({ code: 'store-corrupt' })
  })

  test('of another format is not opened', async () => {
    const { store } = await open()
    store.journal.put(Buffer.from('v'), Buffer.from('2'))
    await store.journal.close()
    opened = undefined
    await expect(open()).rejects.toThrow('its format is 2, not 1')
  })

  test('in a directory that cannot be made says so', async () => {
    await writeFile(`${folder.path}/file`, '')
    await expect(openDatabase(`${folder.path}/file/store`)).rejects.toMatchObject({ code: 'store-failed' })
  })
})
