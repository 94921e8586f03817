import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type DataDirectory, openDataDirectory } from '@fleetroot/service'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openPassphrase } from './passphrase.ts'

let folder: string
let data: DataDirectory
let passphraseFile: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-passphrase-'))
  data = await openDataDirectory(join(folder, 'data'))
  passphraseFile = join(folder, 'ca-passphrase')
})
afterEach(() => rm(folder, { recursive: true }))

async function give(text: string, mode: number): Promise<string> {
  await writeFile(passphraseFile, text)
  await chmod(passphraseFile, mode)
  return openPassphrase(data, { passphraseFile }, () => expect.fail('made one'))
}

describe('the passphrase of the CA keys', () => {
  it.each([0o400, 0o440, 0o640])('is the first line of a file that was given, with mode %o', async (mode) => {
    expect(await give('correct horse\nbattery\n', mode)).toBe('correct horse')
  })

  it.each([0o644, 0o604, 0o660])('is not taken from a file that others can use, mode %o', async (mode) => {
    await expect(give('correct horse\n', mode)).rejects.toMatchObject({
      code: 'passphrase-unusable',
      message: expect.stringContaining(`chmod 640 ${passphraseFile}`),
    })
  })

  it.each(['', 'short\nbut then longer'])('is no shorter than eight characters: %j', async (text) => {
    await expect(give(text, 0o600)).rejects.toMatchObject({ code: 'passphrase-unusable' })
  })

  it('is not guessed when it is given twice', async () => {
    await expect(
      openPassphrase(data, { passphrase: 'correct horse', passphraseFile }, () => undefined),
    ).rejects.toMatchObject({ message: expect.stringContaining('leave out one of them') })
  })

  it('is not made up when the file that was given is not there', async () => {
    await expect(
      openPassphrase(data, { passphraseFile }, () => expect.fail('made one')),
    ).rejects.toMatchObject({
      code: 'ENOENT',
    })
  })

  it('is made once and kept where none is given', async () => {
    const made: string[] = []
    const first = await openPassphrase(data, {}, (file) => made.push(file))
    expect(await openPassphrase(data, {}, (file) => made.push(file))).toBe(first)
    expect(made).toEqual(['ca/passphrase'])
  })
})
