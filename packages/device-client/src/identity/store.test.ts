import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { parseDeviceId } from '@fleetroot/pki'
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { type Authority, createAuthority, type Leaf } from '../testing/authority.ts'
import { runChild } from '../testing/child.ts'
import { type IdentityStore, openIdentityStore } from './store.ts'

let authority: Authority
let root: string
let store: IdentityStore
const id = parseDeviceId('dev-1')
const subject = { id, keyAlgorithm: 'P-256' } as const

beforeAll(async () => {
  authority = await createAuthority()
})

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'device-client-store-'))
  store = openIdentityStore(join(root, 'identity'))
})

afterEach(async () => {
  await rm(root, { recursive: true })
})

async function save(leaf: Leaf): Promise<void> {
  await store.save({ ...leaf, chain: [authority.devices.certificate] })
}

describe('an identity store', () => {
  it('is empty at first', async () => {
    await expect(store.load()).resolves.toBeUndefined()
  })

  it('gives back what was saved', async () => {
    const leaf = await authority.device('dev-1')
    const obtainedAt = new Date('2030-01-02T03:04:05.678Z')
    await store.save({ ...leaf, chain: [authority.devices.certificate], obtainedAt })
    await expect(store.load()).resolves.toMatchObject({
      id: 'dev-1',
      key: leaf.key,
      cert: leaf.cert,
      obtainedAt,
    })
  })

  it('is readable by its owner only', async () => {
    await save(await authority.device('dev-1'))
    await store.pendingRequest(subject)
    const modes = await Promise.all(
      ['.', 'identity.pem', 'pending.pem'].map(
        async (name) => (await stat(join(store.directory, name))).mode & 0o777,
      ),
    )
    expect(modes).toEqual([0o700, 0o600, 0o600])
  })

  it('replaces key and certificate together, without leaving anything behind', async () => {
    await save(await authority.device('dev-1'))
    const second = await authority.device('dev-1')
    await save(second)
    expect((await store.load())?.key).toBe(second.key)
    expect(await readdir(store.directory)).toEqual(['identity.pem'])
  })

  it('holds one whole pair whenever a writer is killed (SIGKILL), and cleans up after it', async () => {
    const generations = [await authority.device('dev-1'), await authority.device('dev-1')]
    await save(generations[0] as Leaf)
    const record = join(root, 'next.pem')
    await openIdentityStore(root).save({
      ...(generations[1] as Leaf),
      chain: [authority.devices.certificate],
    })
    await writeFile(record, await readFile(join(root, 'identity.pem')))
    for (let step = 1; ; step += 1) {
      await save(generations[0] as Leaf)
      const child = await runChild('replace-child.ts', [record, join(store.directory, 'identity.pem')], step)
      const loaded = await store.load()
      expect(generations.map(({ key }) => key)).toContain(loaded?.key)
      if (child.signal !== 'SIGKILL') {
        expect(child).toMatchObject({ code: 0, stderr: '' })
        expect(loaded?.key).toBe(generations[1]?.key)
        break
      }
    }
    expect(await readdir(store.directory)).toEqual(['identity.pem'])
  }, 120_000)

  it('keeps the temporary file of a writer that lives, unless it is older than any write', async () => {
    await save(await authority.device('dev-1'))
    const alive = join(store.directory, `.identity.pem.${process.pid}.0123456789abcdef.tmp`)
    await writeFile(alive, '')
    await save(await authority.device('dev-1'))
    expect(await readdir(store.directory)).toHaveLength(2)
    const longAgo = new Date(Date.now() - 7_200_000)
    await utimes(alive, longAgo, longAgo)
    await save(await authority.device('dev-1'))
    expect(await readdir(store.directory)).toEqual(['identity.pem'])
  })

  it('refuses a key that others can read', async () => {
    await save(await authority.device('dev-1'))
    await chmod(join(store.directory, 'identity.pem'), 0o640)
    await expect(store.load()).rejects.toMatchObject({
      code: 'store-exposed',
      message: expect.stringContaining('identity.pem has mode 640, so others may use the private key in it'),
    })
  })

  it.each([
    ['a key that is not that of the certificate', (own: string, other: string) => swapKey(own, other)],
    ['no key', (own: string) => own.slice(own.indexOf('-----BEGIN CERTIFICATE'))],
    ['no certificate', (own: string) => own.slice(0, own.indexOf('-----BEGIN CERTIFICATE'))],
    ['half a file', (own: string) => own.slice(0, own.length / 2)],
    ['an empty file', () => ''],
  ])('refuses %s', async (_what, damage) => {
    const file = join(store.directory, 'identity.pem')
    await save(await authority.device('dev-1'))
    const other = await readFile(file, 'utf8')
    await save(await authority.device('dev-1'))
    await writeFile(file, damage(await readFile(file, 'utf8'), other))
    await expect(store.load()).rejects.toMatchObject({
      code: 'store-damaged',
      message: expect.stringContaining('identity.pem is no identity: '),
    })
  })

  it('says which directory cannot be written', async () => {
    await writeFile(join(root, 'file'), '')
    await expect(openIdentityStore(join(root, 'file', 'x')).pendingRequest(subject)).rejects.toMatchObject({
      code: 'store-failed',
      message: expect.stringContaining(join(root, 'file', 'x')),
    })
  })

  it.runIf(existsSync('/proc/self'))(
    'is refused, and not tried for ever, where no directory can be made',
    async () => {
      const nowhere = openIdentityStore('/proc/fleetroot/identity')
      await expect(nowhere.pendingRequest(subject)).rejects.toMatchObject({
        code: 'store-failed',
        message: expect.stringMatching(/^cannot write \/proc\/fleetroot\/identity\/pending\.pem \(ENOENT\)/),
      })
    },
  )
})

describe('a pending request', () => {
  it('is the same until it is forgotten', async () => {
    const first = await store.pendingRequest(subject)
    const again = await openIdentityStore(store.directory).pendingRequest(subject)
    expect(again.csr).toEqual(first.csr)
    await store.forgetRequest(again)
    const next = await store.pendingRequest(subject)
    expect(next.csr).not.toEqual(first.csr)
  })

  it('is one for all who ask at once', async () => {
    const requests = await Promise.all(Array.from({ length: 8 }, async () => store.pendingRequest(subject)))
    expect(new Set(requests.map(({ csr }) => csr.toString('hex'))).size).toBe(1)
  })

  it.each([
    ['another id', { ...subject, id: parseDeviceId('dev-2') }],
    ['another kind of key', { ...subject, keyAlgorithm: 'Ed25519' as const }],
    ['other names', { ...subject, subjectAltNames: [{ type: 'dns' as const, value: 'dev-1.test' }] }],
  ])('is made anew for %s', async (_what, other) => {
    const first = await store.pendingRequest(subject)
    const second = await store.pendingRequest(other)
    expect(second.csr).not.toEqual(first.csr)
    expect((await store.pendingRequest(other)).csr).toEqual(second.csr)
  })

  it('is made anew when the kept one is damaged', async () => {
    await store.pendingRequest(subject)
    await writeFile(join(store.directory, 'pending.pem'), 'nonsense')
    await expect(store.pendingRequest(subject)).resolves.toBeDefined()
  })

  it('is made anew when its key has a certificate already, so that a renewal renews the key', async () => {
    const request = await store.pendingRequest(subject)
    const certificate = await authority.issueDevice('dev-1', createPublicKey(request.privateKey))
    await store.save({ privateKey: request.privateKey, certificate, chain: [] })
    expect((await store.pendingRequest(subject)).csr).not.toEqual(request.csr)
  })

  it('is not forgotten by whom it does not belong to', async () => {
    const old = await store.pendingRequest(subject)
    await store.forgetRequest(old)
    const current = await store.pendingRequest(subject)
    await store.forgetRequest(old)
    expect((await store.pendingRequest(subject)).csr).toEqual(current.csr)
  })
})

function swapKey(own: string, other: string): string {
  const certificateOf = (text: string) => text.slice(text.indexOf('-----BEGIN CERTIFICATE'))
  return own.slice(0, own.indexOf('-----BEGIN CERTIFICATE')) + certificateOf(other)
}
