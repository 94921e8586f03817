import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeDirectory, openDataDirectory } from './directory.ts'

let parent: string
let path: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'fleetroot-data-'))
  path = join(parent, 'data')
})
afterEach(() => rm(parent, { recursive: true }))

const modeOf = async (file: string) => (await stat(file)).mode & 0o777

describe('the data directory', () => {
  it('is made with mode 0700, parents included', async () => {
    const data = await openDataDirectory(join(path, 'deep', 'down'))
    expect(data.path).toBe(join(path, 'deep', 'down'))
    expect(await modeOf(data.path)).toBe(0o700)
    expect(await modeOf(path)).toBe(0o700)
  })

  it('is used as it is when it exists', async () => {
    await mkdir(path, { mode: 0o750 })
    await openDataDirectory(path)
    expect(await modeOf(path)).toBe(0o750)
  })

  it('is refused when everybody may write to it', async () => {
    await mkdir(path)
    await chmod(path, 0o777)
    await expect(openDataDirectory(path)).rejects.toMatchObject({
      code: 'data-directory',
      message: `data directory ${path} is writable by everybody; run: chmod o-w ${path}`,
    })
  })

  it('is refused when it, or a part of its path, is a file', async () => {
    await writeFile(path, '')
    await expect(openDataDirectory(path)).rejects.toThrow(
      `cannot use data directory ${path}: it is a file, not a directory; choose another with --data or FLEETROOT_DATA`,
    )
    await expect(openDataDirectory(join(path, 'x'))).rejects.toThrow('a part of the path is a file')
  })

  it.runIf(existsSync('/proc/self'))(
    'is refused, and not tried for ever, where nothing can be made',
    async () => {
      await expect(openDataDirectory('/proc/fleetroot/data')).rejects.toThrow(
        'cannot use data directory /proc/fleetroot/data: it cannot be made there; choose another with --data or FLEETROOT_DATA',
      )
    },
  )

  it('makes directories and writes files inside, private by default', async () => {
    const data = await openDataDirectory(path)
    expect(await data.directory('broker', 'identity')).toBe(join(path, 'broker', 'identity'))
    expect(await modeOf(join(path, 'broker'))).toBe(0o700)
    const written = await data.write('ca/root.key', 'secret')
    expect(written).toBe(data.file('ca', 'root.key'))
    expect([await readFile(written, 'utf8'), await modeOf(written)]).toEqual(['secret', 0o600])
    expect(await modeOf(join(path, 'ca'))).toBe(0o700)
  })

  it('refuses paths that lead out of it', async () => {
    const data = await openDataDirectory(path)
    expect(() => data.file('..', 'other')).toThrow('is outside of the data directory')
    expect(() => data.file('devices', '../../x')).toThrow('is outside of the data directory')
    await expect(data.write('../x', '')).rejects.toMatchObject({ code: 'data-directory' })
  })

  it('can be opened and its first start done by several at once', async () => {
    const opened = await Promise.all(Array.from({ length: 8 }, () => openDataDirectory(path)))
    let made = 0
    await Promise.all(
      opened.map((data) =>
        data.locked('first-start', async () => {
          const missing = await stat(data.file('root.crt')).then(
            () => false,
            () => true,
          )
          if (missing) made += 1
          if (missing) await data.write('root.crt', 'x')
        }),
      ),
    )
    expect(made).toBe(1)
  })
})

describe('makeDirectory', () => {
  it('gives what it makes exactly the mode asked for and leaves what exists alone', async () => {
    const umask = process.umask(0o077)
    try {
      await makeDirectory(join(path, 'public'), 0o755)
    } finally {
      process.umask(umask)
    }
    expect(await modeOf(join(path, 'public'))).toBe(0o755)
    await makeDirectory(join(path, 'public'), 0o700)
    expect(await modeOf(join(path, 'public'))).toBe(0o755)
  })
})
