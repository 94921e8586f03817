import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { describe, expect, it } from 'vitest'

import { DeviceClientError } from '../error.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import { renewalBench } from '../testing/renewal-bench.ts'
import { type Probe, renewIdentity } from './renew-identity.ts'

const bench = renewalBench()

async function renew(options: Partial<Parameters<typeof renewIdentity>[0]> = {}, inUse?: StoredIdentity) {
  const { est, store } = bench
  return renewIdentity({ est, store, ...options }, inUse)
}

const failing = (code: 'network-failed' | 'connect-refused'): Probe => {
  return async () => Promise.reject(new DeviceClientError(code, 'the probe failed'))
}

describe('a renewal', () => {
  it('makes a new key, proves the identity while the old one is stored, and then replaces it', async () => {
    const old = await bench.obtained(25)
    let storedDuringProbe: StoredIdentity | undefined
    let filesDuringProbe: string[] = []
    const renewed = await renew({
      probe: async () => {
        storedDuringProbe = await bench.store.load()
        filesDuringProbe = await readdir(bench.directory)
      },
    })
    expect(storedDuringProbe).toEqual(old)
    expect(filesDuringProbe).toEqual(['identity.pem', 'staged.pem'])
    expect(renewed.certificate.publicKeyFingerprint).not.toBe(old.certificate.publicKeyFingerprint)
    expect(renewed.certificate.subjectAltNames).toEqual(old.certificate.subjectAltNames)
    expect(await bench.store.load()).toEqual(renewed)
    expect(await readdir(bench.directory)).toEqual(['identity.pem'])
  })

  it('keeps the key if that is wanted', async () => {
    const old = await bench.obtained(25)
    const renewed = await renew({ key: 'same' })
    expect(renewed.key).toBe(old.key)
    expect(renewed.certificate.serial).not.toBe(old.certificate.serial)
  })

  it('makes a key of another kind if that is wanted', async () => {
    await bench.obtained(25)
    const { certificate } = await renew({ keyAlgorithm: 'Ed25519' })
    expect(certificate.publicKey.asymmetricKeyType).toBe('ed25519')
  })

  it('leaves the old identity alone when the new one is refused, and asks for another one the next time', async () => {
    const old = await bench.obtained(25)
    await expect(renew({ probe: failing('connect-refused') })).rejects.toMatchObject({
      code: 'connect-refused',
    })
    expect(await bench.store.load()).toEqual(old)
    expect(await readdir(bench.directory)).toEqual(['identity.pem'])
    await renew()
    expect(new Set(bench.server.requests).size).toBe(2)
  })

  it('keeps the new identity beside the old one when nobody could be asked, and proves it the next time', async () => {
    const old = await bench.obtained(25)
    await expect(renew({ probe: failing('network-failed') })).rejects.toMatchObject({
      code: 'network-failed',
    })
    expect(await bench.store.load()).toEqual(old)
    const staged = await bench.store.loadStaged()
    expect(await renew()).toEqual(staged)
    expect(bench.server.requests).toHaveLength(1)
    expect(await readdir(bench.directory)).toEqual(['identity.pem'])
  })

  it('sends the same request again when the answer was lost', async () => {
    await bench.obtained(25)
    bench.server.answer = () => []
    // encodeCertsOnly refuses an empty list: the responder issues, and answers 500.
    await expect(renew()).rejects.toMatchObject({ code: 'server-failed' })
    bench.server.answer = (certificate) => [certificate]
    await renew()
    expect(bench.server.requests).toHaveLength(2)
    expect(new Set(bench.server.requests).size).toBe(1)
  })

  it('takes the identity that another process on this store has renewed, after proving it', async () => {
    const old = await bench.obtained(25)
    const other = await renew()
    const probed: StoredIdentity[] = []
    const probe: Probe = async (staged) => void probed.push(staged)
    expect(await renew({ probe }, old)).toEqual(other)
    expect(probed).toEqual([other])
    expect(bench.server.requests).toHaveLength(1)
  })

  it.each([
    ['damaged', async (file: string) => writeFile(file, 'nonsense')],
    ['readable by others', async (file: string) => chmod(file, 0o644)],
  ])('does not use a staged identity that is %s', async (_what, spoil) => {
    await bench.obtained(25)
    await expect(renew({ probe: failing('network-failed') })).rejects.toBeInstanceOf(DeviceClientError)
    await spoil(join(bench.directory, 'staged.pem'))
    await renew()
    expect(bench.server.requests).toHaveLength(2)
    expect(await readdir(bench.directory)).toEqual(['identity.pem'])
  })

  it('does not use a staged identity of another device', async () => {
    await bench.obtained(25)
    const stranger = await bench.authority.device('dev-2')
    await bench.store.stage({ ...stranger, chain: [bench.authority.devices.certificate] })
    expect((await renew()).id).toBe('dev-1')
    expect(await readdir(bench.directory)).toEqual(['identity.pem'])
  })
})

describe('a renewal after the certificate has expired', () => {
  it('succeeds where the server allows it', async () => {
    const old = await bench.obtained(31)
    bench.server.grace = true
    const renewed = await renew()
    expect(renewed.certificate.notAfter.getTime()).toBeGreaterThan(Date.now())
    expect(renewed.key).not.toBe(old.key)
    expect(await bench.store.load()).toEqual(renewed)
  })

  it('says that the credentials are exhausted when the server refuses, and why', async () => {
    const { certificate } = await bench.obtained(31)
    await expect(renew()).rejects.toMatchObject({
      code: 'credentials-exhausted',
      message: expect.stringMatching(
        `^the certificate of dev-1 expired at ${certificate.notAfter.toISOString()} and the enrollment server ` +
          'does not renew it any more \\(EST simplereenroll was refused \\(403\\): .*\\): have a new token made for it$',
      ),
    })
  })

  it('is only late, not refused, while the server is out of order', async () => {
    await bench.obtained(31)
    bench.refuseNext(503, 'busy')
    await expect(renew()).rejects.toMatchObject({ code: 'server-failed' })
  })

  it('puts an unproven identity in place of the old one, which is worth nothing', async () => {
    await bench.obtained(29.9)
    await expect(renew({ probe: failing('network-failed') })).rejects.toMatchObject({
      code: 'network-failed',
    })
    const staged = await bench.store.loadStaged()
    const now = () => new Date(Date.now() + 86_400_000)
    await expect(renew({ probe: failing('network-failed'), now })).rejects.toMatchObject({
      code: 'network-failed',
    })
    expect(await bench.store.load()).toEqual(staged)
  })
})

describe('a store without an identity', () => {
  it('has nothing to renew', async () => {
    await expect(renew()).rejects.toMatchObject({
      code: 'credentials-exhausted',
      message: `${bench.directory} holds no identity: enroll with a token`,
    })
  })
})
