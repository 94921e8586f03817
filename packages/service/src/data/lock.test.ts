import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { killChildren, startChild } from '../process/child.fixture.ts'
import { acquireLock, withLock } from './lock.ts'

const holder = new URL('lock.fixture.ts', import.meta.url)

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetroot-lock-'))
  path = join(directory, 'first-start.lock')
})
afterEach(async () => {
  await killChildren()
  await rm(directory, { recursive: true })
})

describe('a lock', () => {
  it('is refused while another process holds it, with its path', async () => {
    await startChild(holder, [path]).line(/locked/)
    await expect(acquireLock(path, { waitMs: 0 })).rejects.toMatchObject({
      code: 'lock-held',
      message: expect.stringContaining(path),
    })
  })

  it('is free again when its holder was killed with SIGKILL', async () => {
    const child = startChild(holder, [path])
    await child.line(/locked/)
    child.process.kill('SIGKILL')
    await child.end
    expect(await withLock(path, () => 'mine', { waitMs: 0 })).toBe('mine')
  })

  it('goes to a waiting process as soon as its holder is killed', async () => {
    const [first, waiting] = [startChild(holder, [path]), startChild(holder, [path])]
    const winner = await Promise.race([
      first.line(/locked/).then(() => first),
      waiting.line(/locked/).then(() => waiting),
    ])
    const other = winner === first ? waiting : first
    winner.process.kill('SIGKILL')
    expect(await other.line(/locked/)).toBe('locked')
  })

  it('excludes within one process too, and trying for it does not break it for the holder', async () => {
    const lock = await acquireLock(path)
    await expect(acquireLock(path, { waitMs: 0 })).rejects.toThrow('is locked by another process')
    // POSIX locks of a process vanish when it closes any descriptor of the file: the failed try must not do that.
    const prober = startChild(new URL('lock-probe.fixture.ts', import.meta.url), [path])
    expect(await prober.end).toMatchObject({ stdout: 'lock-held\n', status: 0 })
    lock.release()
  })

  it('is released after the work, whether it succeeds or fails, and twice is once', async () => {
    expect(await withLock(path, () => 7)).toBe(7)
    const broken = withLock(path, () => Promise.reject(new Error('broken')), { waitMs: 0 })
    await expect(broken).rejects.toThrow('broken')
    const lock = await acquireLock(path, { waitMs: 0 })
    lock.release()
    lock.release()
  })

  it('serialises work', async () => {
    const steps: string[] = []
    const work = (name: string) =>
      withLock(path, async () => {
        steps.push(`${name} in`)
        await new Promise((resolve) => setImmediate(resolve))
        steps.push(`${name} out`)
      })
    await Promise.all(['a', 'b', 'c'].map(work))
    for (let i = 0; i < steps.length; i += 2) expect(steps[i + 1]).toBe(steps[i]?.replace('in', 'out'))
  })

  it('stops waiting when the app stops', async () => {
    const lock = await acquireLock(path)
    const stop = new AbortController()
    const waiting = acquireLock(path, { signal: stop.signal })
    stop.abort(new Error('stopping'))
    await expect(waiting).rejects.toThrow(/aborted|stopping/)
    lock.release()
  })

  it('leaves an empty file with mode 0600', async () => {
    await withLock(path, () => {})
    const { mode, size } = await stat(path)
    expect([mode & 0o777, size]).toEqual([0o600, 0])
  })
})
