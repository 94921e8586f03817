import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { DeviceClientError } from '../error.ts'
import { createEstClient, type EstClient } from '../est/client.ts'
import { type IdentityStore, openIdentityStore } from '../identity/store.ts'
import { fullJitterBackoff } from '../retry/backoff.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { type EstResponder, startEstResponder } from '../testing/est-responder.ts'
import { enrollDevice, type EnrollmentOptions } from './enroll-device.ts'
import { renewalDue } from './lifetime.ts'

let authority: Authority
let directory: string
let store: IdentityStore
let server: EstResponder
let est: EstClient

beforeAll(async () => {
  authority = await createAuthority()
})

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'device-client-enroll-'))
  store = openIdentityStore(directory)
  server = await startEstResponder(authority)
  est = createEstClient({ url: server.url, trust: authority.trust })
  server.addToken('dev-1', 'token-1')
})

afterEach(async () => {
  est.close()
  await server.close()
  await rm(directory, { recursive: true })
})

async function enroll(options: Partial<EnrollmentOptions> = {}) {
  return enrollDevice({ id: 'dev-1', est, store, credential: { token: 'token-1' }, ...options })
}

/** A clock that stands when `part` of the stored certificate's life is over. */
async function after(part: number): Promise<() => Date> {
  const stored = await store.load()
  if (!stored) throw new Error('nothing stored')
  const { obtainedAt, certificate } = stored
  const now = new Date(obtainedAt.getTime() + part * (certificate.notAfter.getTime() - obtainedAt.getTime()))
  return () => now
}

describe('a device without identity', () => {
  it('enrolls with its token and stores key, certificate and issuing CA', async () => {
    const { identity, reused, how } = await enroll()
    expect({ id: identity.id, reused, how }).toEqual({ id: 'dev-1', reused: false, how: 'enrolled' })
    expect(identity.cert).toBe(identity.certificate.pem + authority.devices.certificate.pem)
    expect(await store.load()).toEqual(identity)
    expect(await readdir(directory)).toEqual(['identity.pem'])
  })

  it('says that it needs a token', async () => {
    await expect(enrollDevice({ id: 'dev-1', est, store })).rejects.toMatchObject({
      code: 'credentials-exhausted',
      message: `dev-1 has no valid identity in ${directory} and no token: have a new token made for it`,
    })
  })

  it.each(['P-384', 'Ed25519'] as const)('makes a %s key if asked to', async (keyAlgorithm) => {
    const { identity } = await enroll({ keyAlgorithm })
    const { asymmetricKeyType, asymmetricKeyDetails } = identity.certificate.publicKey
    expect([asymmetricKeyType, asymmetricKeyDetails?.namedCurve]).toEqual(
      keyAlgorithm === 'P-384' ? ['ec', 'secp384r1'] : ['ed25519', undefined],
    )
  })

  it('sends the same request again after a lost answer, and gets the certificate that was made for it', async () => {
    server.answer = () => []
    // encodeCertsOnly refuses an empty list: the responder issues, and answers 500.
    await expect(enroll()).rejects.toMatchObject({ code: 'server-failed' })
    server.answer = (certificate) => [certificate]
    await expect(enroll()).resolves.toMatchObject({ how: 'enrolled' })
    expect(new Set(server.requests).size).toBe(1)
  })

  it('repeats what may pass, and not what is final', async () => {
    server.instead.push((_, response) => response.writeHead(503).end())
    server.instead.push((_, response) => response.writeHead(429, { 'retry-after': '0' }).end())
    server.instead.push((incoming) => incoming.socket.destroy())
    const retry = { backoff: fullJitterBackoff({ random: () => 0 }) }
    await expect(enroll({ retry })).resolves.toMatchObject({ how: 'enrolled' })
    server.log.length = 0
    const other = openIdentityStore(join(directory, 'other'))
    await expect(enroll({ id: 'dev-2', store: other, retry })).rejects.toMatchObject({
      code: 'credential-refused',
    })
    expect(server.log).toEqual(['simpleenroll 401'])
  })

  it('keeps its request when the token is refused, for the next token', async () => {
    await expect(enroll({ credential: { token: 'wrong' } })).rejects.toMatchObject({
      code: 'credential-refused',
    })
    await enroll()
    expect(new Set(server.requests).size).toBe(1)
  })

  it('makes a new key when the server refuses the request for its content', async () => {
    server.instead.push((_, response) =>
      response.writeHead(400, { 'content-type': 'text/plain' }).end('key: weak'),
    )
    await expect(enroll()).rejects.toMatchObject({
      code: 'request-refused',
      message: expect.stringContaining('key: weak'),
    })
    expect(await readdir(directory)).toEqual([])
  })

  it('stops when it is told to', async () => {
    const signal = AbortSignal.abort()
    await expect(enroll({ signal })).rejects.toMatchObject({ code: 'aborted' })
    expect(server.requests).toEqual([])
  })
})

describe('a device with an identity', () => {
  it('reuses it, without a request and without a token', async () => {
    const { identity } = await enroll()
    server.log.length = 0
    await expect(enrollDevice({ id: 'dev-1', est, store })).resolves.toEqual({
      identity,
      reused: true,
      how: 'reused',
    })
    expect(server.log).toEqual([])
  })

  it('renews it over mutual TLS, with a new key, when two thirds of its life are over', async () => {
    const first = await enroll()
    expect((await enroll({ now: await after(0.66) })).how).toBe('reused')
    server.log.length = 0
    const { identity, how, reused } = await enrollDevice({ id: 'dev-1', est, store, now: await after(0.67) })
    expect({ how, reused }).toEqual({ how: 'renewed', reused: false })
    expect(server.log).toEqual(['simplereenroll 200'])
    expect(identity.certificate.publicKeyFingerprint).not.toBe(
      first.identity.certificate.publicKeyFingerprint,
    )
    expect(await store.load()).toEqual(identity)
  })

  it('keeps it while it is valid if the renewal fails', async () => {
    const { identity } = await enroll()
    server.instead.push((_, response) => response.writeHead(503).end())
    await expect(enroll({ now: await after(0.9) })).resolves.toMatchObject({
      identity,
      how: 'reused',
      renewalFailure: { code: 'server-failed' },
    })
  })

  it('falls back to a token when it has expired', async () => {
    await enroll()
    server.addToken('dev-1', 'token-2')
    // The certificate that the responder issues is valid now; only the stored one has expired by this clock.
    server.issue = { lifetimeSeconds: 90 * 86_400 }
    const { how } = await enroll({ credential: { token: 'token-2' }, now: await after(1.01) })
    expect(how).toBe('enrolled')
    expect(server.log.at(-1)).toBe('simpleenroll 200')
  })

  it('is renewed after it has expired, without a token, if the server allows that', async () => {
    const issuedAt = new Date(Date.now() - 2 * 86_400_000)
    const { authority } = server
    const leaf = await authority.device('dev-1', { issuedAt, lifetimeSeconds: 86_400 })
    await store.save({ ...leaf, chain: [authority.devices.certificate], obtainedAt: issuedAt })
    await expect(enrollDevice({ id: 'dev-1', est, store })).rejects.toMatchObject({
      code: 'credentials-exhausted',
    })
    server.grace = true
    const { how } = await enrollDevice({ id: 'dev-1', est, store })
    expect(how).toBe('renewed')
  })

  it('tries that too when its token turns out to be used', async () => {
    const { identity } = await enroll()
    const { how } = await enroll({ credential: { token: 'used' }, now: await after(1.01) })
    expect(how).toBe('renewed')
    expect(server.log.slice(-2)).toEqual(['simpleenroll 401', 'simplereenroll 200'])
    expect(identity.certificate.serial).not.toBe((await store.load())?.certificate.serial)
  })

  it('uses what a renewal staged when it has expired before that was proven', async () => {
    const { identity } = await enroll()
    const probe = async () => Promise.reject(new DeviceClientError('network-failed', 'no broker'))
    server.issue = { lifetimeSeconds: 90 * 86_400 }
    await expect(enroll({ now: await after(0.9), probe })).resolves.toMatchObject({
      how: 'reused',
      renewalFailure: { code: 'network-failed' },
    })
    expect((await store.load())?.cert).toBe(identity.cert)
    const staged = await store.loadStaged()
    server.log.length = 0
    const next = await enrollDevice({ id: 'dev-1', est, store, now: await after(1.01) })
    expect(next).toEqual({ identity: staged, reused: false, how: 'renewed' })
    expect(server.log).toEqual([])
    expect(await readdir(directory)).toEqual(['identity.pem'])
  })

  it('is kept as it is when it is due, if that is wanted', async () => {
    const { identity } = await enroll()
    const kept = await enroll({ now: await after(0.9), whenDue: 'keep' })
    expect(kept).toEqual({ identity, reused: true, how: 'reused' })
  })

  it('enrolls anew when it was issued below another root of the same name', async () => {
    const fake = await createAuthority()
    const stranger = await fake.device('dev-1')
    await store.save({ ...stranger, chain: [fake.devices.certificate] })
    await expect(enroll()).resolves.toMatchObject({ how: 'enrolled' })
  })

  it('does not overwrite the identity of another device', async () => {
    await enroll()
    await expect(enroll({ id: 'dev-2' })).rejects.toMatchObject({
      code: 'store-other-device',
      message: `${directory} holds the identity of dev-1, not of dev-2: give each device a directory of its own`,
    })
  })
})

describe('the time of renewal', () => {
  it('counts from when the certificate was obtained, since notBefore may be backdated by more than its life', () => {
    const certificate = { notBefore: new Date(0), notAfter: new Date(3_900_000) }
    const obtainedAt = new Date(3_600_000)
    const due = renewalDue({ certificate, obtainedAt } as Parameters<typeof renewalDue>[0])
    expect(due).toEqual(new Date(3_800_000))
  })
})
