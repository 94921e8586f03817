import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { atomicWrite } from './atomic-write.ts'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'fleetroot-write-'))
})
afterEach(() => rm(directory, { recursive: true }))

const modeOf = async (path: string) => (await stat(path)).mode & 0o777

describe('atomicWrite', () => {
  it('writes text and bytes with mode 0600 and leaves nothing else behind', async () => {
    await atomicWrite(join(directory, 'key.pem'), 'text')
    await atomicWrite(join(directory, 'cert.der'), Buffer.from([1, 2]))
    expect(await readFile(join(directory, 'key.pem'), 'utf8')).toBe('text')
    expect(await modeOf(join(directory, 'key.pem'))).toBe(0o600)
    expect((await readdir(directory)).sort()).toEqual(['cert.der', 'key.pem'])
  })

  it('gives exactly the mode asked for, whatever the umask', async () => {
    const umask = process.umask(0o077)
    try {
      await atomicWrite(join(directory, 'root.crt'), 'x', 0o644)
    } finally {
      process.umask(umask)
    }
    expect(await modeOf(join(directory, 'root.crt'))).toBe(0o644)
  })

  it('tightens the mode of what it replaces', async () => {
    const path = join(directory, 'key.pem')
    await writeFile(path, 'old', { mode: 0o644 })
    await atomicWrite(path, 'new')
    expect([await readFile(path, 'utf8'), await modeOf(path)]).toEqual(['new', 0o600])
  })

  it('replaces a symbolic link instead of writing through it', async () => {
    const [target, link] = [join(directory, 'target'), join(directory, 'link')]
    await writeFile(target, 'untouched')
    await symlink(target, link)
    await atomicWrite(link, 'secret')
    expect(await readFile(target, 'utf8')).toBe('untouched')
    expect(await readFile(link, 'utf8')).toBe('secret')
  })

  it('lets readers see the old or the new contents, never a part', async () => {
    const path = join(directory, 'state')
    const contents = ['a', 'b'].map((letter) => letter.repeat(300_000))
    await atomicWrite(path, contents[0] ?? '')
    const writes = Array.from({ length: 20 }, (_, i) => atomicWrite(path, contents[i % 2] ?? ''))
    const reads = Array.from({ length: 50 }, () => readFile(path, 'utf8'))
    await Promise.all(writes)
    for (const read of await Promise.all(reads)) expect(contents).toContain(read)
  })

  it('keeps the old file and removes its own when it fails', async () => {
    await expect(atomicWrite(directory, 'x')).rejects.toThrow(/EISDIR|ENOTEMPTY|EEXIST|EPERM|EBUSY/)
    const inside = join(directory, 'no', 'such', 'file')
    await expect(atomicWrite(inside, 'x')).rejects.toThrow('ENOENT')
    expect(await readdir(directory)).toEqual([])
  })
})
