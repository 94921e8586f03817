import {
  createCsr,
  detectKeyAlgorithm,
  importPrivateKey,
  type KeyAlgorithm,
  type SubjectAltName,
} from '@fleetroot/pki'

import { renewalDue } from '../enrollment/lifetime.ts'
import { DeviceClientError, type DeviceClientErrorCode } from '../error.ts'
import type { EstClient } from '../est/client.ts'
import { currentChain } from '../identity/current-chain.ts'
import type { PendingRequest } from '../identity/pending-request.ts'
import type { IdentityStore } from '../identity/store.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import { retryVerdict } from '../retry/verdict.ts'

/**
 * Proves that a staged identity works where it will be used, by a real connection; rejects with the reason if it
 * does not. For a connected device that is `DeviceConnection.replaceIdentity`.
 */
export type Probe = (staged: StoredIdentity) => Promise<void>

/** How an identity is renewed. */
export interface RenewalOptions {
  est: EstClient
  store: IdentityStore
  /** Default: nothing but the checks of `EstClient.simpleReenroll` stands between a certificate and its use. */
  probe?: Probe
  /** `new` (default) makes another key for every certificate, `same` keeps it, for keys that cannot change. */
  key?: 'new' | 'same'
  /** Of a new key. Default: that of the key in use. */
  keyAlgorithm?: KeyAlgorithm
  /** Default: the system's clock. */
  now?: () => Date
}

/**
 * Renews the stored identity: the trust anchors first, where they follow a rollover; a new key, kept before it is asked for; simplereenroll over mutual TLS with the
 * identity in use; the answer staged beside that; `probe`; and only then, by one rename(2), the new identity
 * instead of the old. Whenever the process dies, `store.load` gives an identity that works, and the next call goes
 * on where this one was. `inUse` is what the caller works with, if that may differ from what is stored: when
 * another process on this store has renewed since, its identity is probed and taken.
 *
 * Also tries it with a certificate that has expired, which a server may allow for a while.
 *
 * Rejects, with the old identity still stored, with what `EstClient.simpleReenroll`, the store or `probe` throw. A
 * staged identity whose probe failed because nobody could be asked is kept for the next call; one that was
 * refused is forgotten. DeviceClientError `credentials-exhausted`: the certificate has expired and the server
 * does not renew it, or there is none.
 */
export async function renewIdentity(
  options: RenewalOptions,
  inUse?: StoredIdentity,
): Promise<StoredIdentity> {
  const { est, store, probe, now = () => new Date() } = options
  const stored = await store.load()
  if (!stored) {
    const fix = 'enroll with a token'
    throw new DeviceClientError('credentials-exhausted', `${store.directory} holds no identity: ${fix}`)
  }
  if (inUse && !isSame(inUse, stored) && isUsable(stored, est, now()) && now() < renewalDue(stored)) {
    await probe?.(stored)
    return stored
  }
  if (est.anchors.isLearning) {
    // Before each renewal: a fleet that renews never misses a rollover. Where cacerts cannot be had the renewal
    // will hardly succeed either, and says why.
    await est.refreshTrust({ maxAgeMs: TRUST_MAX_AGE_MS }).catch(() => undefined)
  }
  const staged = (await usableStaged(store, est, now())) ?? (await request(options, stored))
  try {
    await probe?.(staged)
  } catch (error) {
    const couldNotBeAsked = error instanceof DeviceClientError && unasked.has(error.code)
    if (!couldNotBeAsked) await store.discard(staged)
    // The new one is not proven, but the old one is worth nothing.
    else if (now() >= stored.certificate.notAfter) await store.promote(staged)
    throw error
  }
  await store.promote(staged)
  await store.sweep()
  return staged
}

/** Thousands of devices in one process share a client; one question a second serves them all. */
const TRUST_MAX_AGE_MS = 1_000

/** Failures of a probe that say nothing about the identity. */
const unasked: ReadonlySet<DeviceClientErrorCode> = new Set([
  'network-failed',
  'timed-out',
  'server-failed',
  'rate-limited',
  'aborted',
  'connection-closed',
])

/** The server understood, and says no. */
const refusals: ReadonlySet<DeviceClientErrorCode> = new Set([
  'request-refused',
  'credential-refused',
  'forbidden',
  'conflict',
])

async function usableStaged(
  store: IdentityStore,
  est: EstClient,
  now: Date,
): Promise<StoredIdentity | undefined> {
  const staged = await store.loadStaged()
  if (!staged || isUsable(staged, est, now)) return staged
  await store.discard(staged)
  return undefined
}

/** Asks for the next certificate with the one that is stored, and stages it. */
async function request(options: RenewalOptions, stored: StoredIdentity): Promise<StoredIdentity> {
  const { est, store, now = () => new Date() } = options
  const next = await nextRequest(options, stored)
  try {
    const certificate = await est.simpleReenroll(next.csr, stored)
    const chain = await est.issuersOf(certificate)
    const staged = await store.stage({ privateKey: next.privateKey, certificate, chain, obtainedAt: now() })
    await store.forgetRequest(next)
    return staged
  } catch (error) {
    if (!(error instanceof DeviceClientError)) throw error
    // A request that the server refuses for its content would be refused for ever; a new key may pass.
    if (error.code === 'request-refused') await store.forgetRequest(next)
    throw now() < stored.certificate.notAfter ? error : afterExpiry(error, stored)
  }
}

/** The same key needs no record of its own: it is that of the identity in use. */
async function nextRequest(options: RenewalOptions, stored: StoredIdentity): Promise<PendingRequest> {
  const { id, key, certificate } = stored
  const subjectAltNames: readonly SubjectAltName[] = certificate.subjectAltNames
  const privateKey = importPrivateKey(key)
  if (options.key === 'same') {
    return {
      privateKey,
      csr: createCsr({ privateKey, commonName: id, subjectAltNames: [...subjectAltNames] }),
    }
  }
  const keyAlgorithm = options.keyAlgorithm ?? detectKeyAlgorithm(privateKey) ?? 'P-256'
  return options.store.pendingRequest({ id, keyAlgorithm, subjectAltNames })
}

function afterExpiry(error: DeviceClientError, { id, certificate }: StoredIdentity): DeviceClientError {
  const refused = refusals.has(error.code) || error.tlsCode?.startsWith('own-certificate') === true
  if (retryVerdict(error).retry || !refused) return error
  return new DeviceClientError(
    'credentials-exhausted',
    `the certificate of ${id} expired at ${certificate.notAfter.toISOString()} and the enrollment server does ` +
      `not renew it any more (${error.message}): have a new token made for it`,
    { cause: error },
  )
}

function isSame(one: StoredIdentity, other: StoredIdentity): boolean {
  return one.certificate.fingerprint256 === other.certificate.fingerprint256
}

function isUsable(identity: StoredIdentity, est: EstClient, now: Date): boolean {
  try {
    currentChain(identity, est.anchors, now)
    return true
  } catch {
    return false
  }
}
