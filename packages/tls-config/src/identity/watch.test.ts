import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet, Leaf } from '../testing/fleet.ts'
import type { IdentityFiles, TlsIdentity } from './load.ts'
import { loadIdentity } from './load.ts'
import { watchIdentity } from './watch.ts'
import type { IdentityWatch, WatchSettings } from './watch.ts'

const NEVER_MS = 2 ** 30

let fleet: Fleet
let first: Leaf
let second: Leaf
beforeAll(async () => {
  fleet = await createFleet()
  first = await fleet.issue()
  second = await fleet.issue()
})

let directory: string
let files: IdentityFiles
const watches: IdentityWatch[] = []
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'fleetroot-watch-'))
  files = { certFile: join(directory, 'cert.pem'), keyFile: join(directory, 'key.pem') }
})
afterEach(() => {
  for (const watch of watches.splice(0)) watch.close()
  rmSync(directory, { recursive: true })
})

function write(leaf: Pick<Leaf, 'key' | 'cert'>, to = files): void {
  writeFileSync(to.keyFile, leaf.key, { mode: 0o600 })
  writeFileSync(to.certFile, leaf.cert)
}

/** Each report in its order; `next` waits for one that nobody has taken yet. */
function watched(settings: WatchSettings, of = files) {
  const reports: (TlsIdentity | Error)[] = []
  let wake = (): void => {}
  const report = (value: TlsIdentity | Error): void => {
    reports.push(value)
    wake()
  }
  watches.push(watchIdentity(of, report, report, settings))
  return async function next(): Promise<TlsIdentity | Error> {
    while (reports.length === 0) await new Promise<void>((resolve) => (wake = resolve))
    return reports.shift() as TlsIdentity | Error
  }
}

test('files that are written in place are handed out as a pair', async () => {
  write(first)
  const next = watched({ pollMs: NEVER_MS })
  write(second)
  expect(await next()).toMatchObject({ key: second.key, cert: second.cert })
})

test('files that are renamed into place are handed out, time after time', async () => {
  write(first)
  const next = watched({ pollMs: NEVER_MS })
  for (const leaf of [second, first, second]) {
    const beside = { certFile: `${files.certFile}.new`, keyFile: `${files.keyFile}.new` }
    write(leaf, beside)
    renameSync(beside.keyFile, files.keyFile)
    renameSync(beside.certFile, files.certFile)
    expect(await next()).toMatchObject({ cert: leaf.cert })
  }
})

test('a symbolic link that is swapped, as Kubernetes does, is followed', async () => {
  for (const [name, leaf] of [
    ['a', first],
    ['b', second],
  ] as const) {
    mkdirSync(join(directory, name))
    write(leaf, { certFile: join(directory, name, 'cert.pem'), keyFile: join(directory, name, 'key.pem') })
  }
  symlinkSync('a', join(directory, 'data'))
  const linked = {
    certFile: join(directory, 'data', 'cert.pem'),
    keyFile: join(directory, 'data', 'key.pem'),
  }
  const next = watched({ pollMs: 20 }, linked)
  symlinkSync('b', join(directory, 'swap'))
  renameSync(join(directory, 'swap'), join(directory, 'data'))
  expect(await next()).toMatchObject({ cert: second.cert })
})

test('a half-written pair is reported once, never handed out, and the whole pair is', async () => {
  write(first)
  const next = watched({ pollMs: 20, settleMs: 20 })
  writeFileSync(files.keyFile, second.key)
  expect(await next()).toMatchObject({ code: 'key-mismatch' })
  writeFileSync(files.certFile, second.cert)
  expect(await next()).toMatchObject({ cert: second.cert })
})

test('files that vanish are reported, and handed out when they return as others', async () => {
  write(first)
  const next = watched({ pollMs: 20, settleMs: 20 })
  rmSync(files.keyFile)
  expect(await next()).toMatchObject({ code: 'file-missing' })
  write(second)
  expect(await next()).toMatchObject({ cert: second.cert })
})

test('a bad state is tried on every poll but reported once, and time alone can mend it', async () => {
  write(first)
  let attempts = 0
  const now = (): Date => {
    attempts += 1
    return attempts > 5 ? new Date() : new Date(0)
  }
  const next = watched({ pollMs: 20, settleMs: 20, current: loadIdentity(files, new Date()), now })
  write(second)
  expect(await next()).toMatchObject({ code: 'certificate-not-yet-valid' })
  expect(await next()).toMatchObject({ cert: second.cert })
  expect(attempts).toBe(6)
})

test('files that stay as they are, are not handed out', async () => {
  write(first)
  const looked = Promise.withResolvers<void>()
  const now = (): Date => {
    looked.resolve()
    return new Date()
  }
  const next = watched({ pollMs: 20, current: loadIdentity(files, new Date()), now })
  await looked.promise
  write(second)
  expect(await next()).toMatchObject({ cert: second.cert })
})

test('a directory that is never quiet does not put a change off for ever', async () => {
  write(first)
  const next = watched({ pollMs: NEVER_MS })
  write(second)
  const noise = setInterval(() => writeFileSync(join(directory, 'noise'), 'x'), 5)
  try {
    expect(await next()).toMatchObject({ cert: second.cert })
  } finally {
    clearInterval(noise)
  }
})

test('a change between loading and watching is not missed', async () => {
  write(first)
  const current = loadIdentity(files, new Date())
  write(second)
  const next = watched({ pollMs: NEVER_MS, current })
  expect(await next()).toMatchObject({ cert: second.cert })
})

test('polling does the work where the directory cannot be watched', async () => {
  const missing = join(directory, 'later')
  const later = { certFile: join(missing, 'cert.pem'), keyFile: join(missing, 'key.pem') }
  const next = watched({ pollMs: 20, settleMs: 20 }, later)
  expect(await next()).toMatchObject({ code: 'file-missing' })
  mkdirSync(missing)
  write(first, later)
  expect(await next()).toMatchObject({ cert: first.cert })
})

test('what onChange throws is reported, and the identity is offered again', async () => {
  write(first)
  const offered: string[] = []
  const error = await new Promise<Error>((resolve) => {
    const refuse = ({ cert }: TlsIdentity): void => {
      offered.push(cert)
      throw new Error('no')
    }
    watches.push(watchIdentity(files, refuse, resolve, { pollMs: 20, settleMs: 20 }))
    write(second)
  })
  expect(error.message).toBe('no')
  expect(offered).toEqual([second.cert, second.cert])
})
