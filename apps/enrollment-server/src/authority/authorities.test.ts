import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { writeCaKeys } from '@fleetroot/harness'
import { type DataDirectory, openDataDirectory } from '@fleetroot/service'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openAuthorities } from './authorities.ts'
import type { Authority } from './authority.ts'

const now = new Date()
const ours = 'a passphrase for tests'
let folder: string
let data: DataDirectory
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-hierarchy-'))
  data = await openDataDirectory(folder)
})
afterEach(() => rm(folder, { recursive: true }))

class Killed extends Error {}

/** Opens the hierarchy; `killAfter` stops the work right after that many files were written. */
async function open(
  options: { passphrase?: string; killAfter?: number; made?: string[] } = {},
): Promise<Authority> {
  const { passphrase = ours, killAfter = Infinity, made = [] } = options
  const authorities = await openAuthorities(data, {
    passphrase,
    algorithm: 'P-256',
    now,
    made: (file) => {
      made.push(file)
      if (made.length >= killAfter) throw new Killed()
    },
  })
  return authorities.current()
}

const fingerprint = async (name: string) => (await readFile(data.file('ca', `${name}.crt`))).toString()

describe('the first start', () => {
  it('makes root, Devices and Services, keys first, and publishes the root', async () => {
    const made: string[] = []
    const { roots, issuers } = await open({ made })
    const [root] = roots
    expect(made).toEqual([
      'ca/root.key',
      'ca/root.crt',
      'ca/devices.key',
      'ca/devices.crt',
      'ca/services.key',
      'ca/services.crt',
      'ca/authorities.json',
      'public/root.crt',
    ])
    expect(issuers.get('devices')?.certificate.issuerDer).toEqual(root?.certificate.subjectDer)
    expect(await readFile(data.file('public/root.crt'), 'utf8')).toBe(root?.certificate.pem)
  })

  it('keeps keys and passphrase from everybody else', async () => {
    await openAuthorities(data, { algorithm: 'P-256', now, made: () => {} })
    for (const name of await readdir(data.file('ca'))) {
      expect((await stat(data.file('ca', name))).mode & 0o777).toBe(0o600)
      if (name.endsWith('.key')) {
        expect(await readFile(data.file('ca', name), 'utf8')).toContain('BEGIN ENCRYPTED PRIVATE KEY')
      }
    }
    expect((await stat(data.file('ca'))).mode & 0o777).toBe(0o700)
    expect((await stat(data.file('public'))).mode & 0o777).toBe(0o755)
  })

  it('killed after every file that it writes, eight times in a row, is completed and remade nothing', async () => {
    const written: string[] = []
    for (let kill = 0; kill < 8; kill++) {
      const made: string[] = []
      await expect(open({ killAfter: 1, made })).rejects.toThrow(Killed)
      written.push(...made)
    }
    expect(new Set(written).size).toBe(8)
    const { keys } = await open({ killAfter: 1 })
    expect(keys.size).toBe(3)
  })
})

describe('a later start', () => {
  beforeEach(() => writeCaKeys(folder, ours))

  it('makes nothing and needs no key of the root', async () => {
    const first = await open()
    await rename(data.file('ca/root.key'), join(folder, 'safe'))
    const made: string[] = []
    const second = await open({ made })
    expect(made).toEqual([])
    expect(second.roots).toEqual(first.roots)
    expect(existsSync(data.file('ca/root.key'))).toBe(false)
  })

  it('publishes the root again when that file is gone', async () => {
    const [root] = (await open()).roots
    await rm(data.file('public/root.crt'))
    await open()
    expect(await readFile(data.file('public/root.crt'), 'utf8')).toBe(root?.certificate.pem)
  })

  it('with another passphrase says which file does not open and where the passphrase comes from', async () => {
    await open()
    await expect(open({ passphrase: 'another passphrase' })).rejects.toMatchObject({
      code: 'passphrase-wrong',
      message: expect.stringMatching(/ca\/devices\.key does not open: .*FLEETROOT_CA_PASSPHRASE/),
    })
  })

  it.each(['devices', 'services'])('without the key of %s says that it must be restored', async (name) => {
    await open()
    await rm(data.file('ca', `${name}.key`))
    await expect(open()).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining('restore it from a backup'),
    })
  })

  it('without the root certificate does not make a second root', async () => {
    await open()
    for (const file of ['authorities.json', 'root.crt', 'services.crt']) await rm(data.file('ca', file))
    await expect(open()).rejects.toMatchObject({ code: 'file-missing' })
  })

  it('of an older version has no list of CAs: it is made from their files, and those must belong together', async () => {
    const first = await open()
    await rm(data.file('ca/authorities.json'))
    const made: string[] = []
    const second = await open({ made })
    expect(made).toEqual(['ca/authorities.json'])
    expect(second.roots[0]?.certificate.pem).toBe(first.roots[0]?.certificate.pem)

    // Another root of the same name.
    await rm(data.file('ca/authorities.json'))
    const other = await mkdtemp(join(tmpdir(), 'fleetroot-hierarchy-'))
    try {
      const foreign = await openDataDirectory(other)
      const others = await openAuthorities(foreign, { algorithm: 'P-256', now, made: () => {} })
      await writeFile(data.file('ca/root.crt'), others.current().roots[0]?.certificate.pem ?? '')
    } finally {
      await rm(other, { recursive: true })
    }
    await expect(open()).rejects.toMatchObject({
      code: 'mismatch',
      message: expect.stringContaining('ca/devices.crt does not belong to ca/root.crt'),
    })
  })

  it('without the list of CAs, but with one of a later generation, does not begin anew', async () => {
    await open()
    await rm(data.file('ca/authorities.json'))
    await writeFile(data.file('ca/devices-2.key'), 'anything')
    await expect(open()).rejects.toMatchObject({
      code: 'file-missing',
      message: expect.stringContaining('ca/authorities.json is missing beside ca/devices-2.key'),
    })
  })

  it('writes copies anew that are gone or are not what the list says', async () => {
    await open()
    const before = await fingerprint('devices')
    await writeFile(data.file('ca/devices.crt'), await fingerprint('services'))
    await rm(data.file('ca/root.crt'))
    const made: string[] = []
    await open({ made })
    expect(made).toEqual(['ca/root.crt', 'ca/devices.crt'])
    expect(await fingerprint('devices')).toBe(before)
  })

  it('refuses a key of another CA', async () => {
    await open()
    await writeFile(data.file('ca/devices.key'), await readFile(data.file('ca/services.key')))
    await chmod(data.file('ca/devices.key'), 0o600)
    await expect(open()).rejects.toMatchObject({ code: 'mismatch' })
  })
})

describe('a file of the hierarchy', () => {
  it.each(['ca/devices.crt', 'ca/devices.key', 'ca/root.crt', 'ca/authorities.json'])(
    '%s that is damaged is named, with what to do',
    async (file) => {
      writeCaKeys(folder, ours)
      await open()
      if (file.endsWith('.crt')) await rm(data.file('ca/authorities.json'))
      await writeFile(data.file(file), 'not PEM', { mode: 0o600 })
      await expect(open()).rejects.toMatchObject({
        code: 'file-damaged',
        message: expect.stringMatching(new RegExp(`${file} is damaged .*: restore .* from a backup`)),
      })
    },
  )

  it.each(['ca/devices.key', 'ca/services.key', 'ca/passphrase', 'ca/authorities.json'])(
    '%s that others can read is refused',
    async (file) => {
      writeCaKeys(folder)
      const start = () => openAuthorities(data, { algorithm: 'P-256', now, made: () => {} })
      await start()
      await chmod(data.file(file), 0o644)
      await expect(start()).rejects.toMatchObject({
        code: 'file-exposed',
        message: expect.stringContaining(`${file} can be read by others (mode 644): chmod 600 it`),
      })
    },
  )
})
