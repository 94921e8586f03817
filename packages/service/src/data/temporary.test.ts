import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { killChildren, startChild } from '../process/child.fixture.ts'
import { openDataDirectory } from './directory.ts'

const holder = new URL('lock.fixture.ts', import.meta.url)
const deadPid = spawnSync(process.execPath, ['--version']).pid

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-temporary-'))
  await mkdir(join(folder, 'operator'))
})
afterEach(async () => {
  await killChildren()
  await rm(folder, { recursive: true })
})

/** What a write by `pid` leaves that was killed `secondsAgo`. */
async function leave(name: string, secondsAgo: number): Promise<string> {
  const path = join(folder, 'operator', name)
  await writeFile(path, 'a private key', { mode: 0o600 })
  const then = new Date(Date.now() - secondsAgo * 1000)
  await utimes(path, then, then)
  return path
}

const isThere = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  )

describe('opening a data directory', () => {
  it('removes what writes left that were killed, in it and in the folders in it', async () => {
    const below = await leave(`.key.pem.${deadPid}.01234567.tmp`, 60)
    const top = join(folder, `.registry.${deadPid}.89abcdef.tmp`)
    await writeFile(top, '')
    await utimes(top, new Date(0), new Date(0))
    await openDataDirectory(folder)
    expect([await isThere(below), await isThere(top)]).toEqual([false, false])
    expect(await readdir(folder)).toEqual(['operator'])
  })

  it('leaves the write of another living process alone', async () => {
    const child = startChild(holder, [join(folder, 'a.lock')])
    await child.line(/locked/)
    const path = await leave(`.key.pem.${child.process.pid}.01234567.tmp`, 60)
    await openDataDirectory(folder)
    expect(await isThere(path)).toBe(true)
  })

  it('leaves a fresh write alone whoever made it: ids of processes mean nothing between containers', async () => {
    const path = await leave(`.key.pem.${deadPid}.01234567.tmp`, 0)
    await openDataDirectory(folder)
    expect(await isThere(path)).toBe(true)
  })

  it('removes what an earlier process left that had its own id, as every container is number 1', async () => {
    const before = (Date.now() - performance.timeOrigin) / 1000 + 60
    const earlier = await leave(`.key.pem.${process.pid}.01234567.tmp`, before)
    await openDataDirectory(folder)
    expect(await isThere(earlier)).toBe(false)
  })

  it('removes what is older than any write, though its process id lives again', async () => {
    const path = await leave(`.key.pem.${process.ppid}.01234567.tmp`, 7200)
    await openDataDirectory(folder)
    expect(await isThere(path)).toBe(false)
  })

  it.each([
    'key.pem',
    '.key.pem',
    'key.pem.1.01234567.tmp',
    '.identity.pem.1.0123456789abcdef.tmp',
    '.a.tmp',
  ])('leaves %s alone, which is not its own', async (name) => {
    const path = await leave(name, 7200)
    await openDataDirectory(folder)
    expect(await isThere(path)).toBe(true)
  })
})
