import { type DeviceId, type KeyAlgorithm, parseDeviceId } from '@fleetroot/pki'

import { DeviceClientError } from '../error.ts'
import type { EstClient, EstCredential, EstIdentity } from '../est/client.ts'
import { currentChain, withCurrentChain } from '../identity/current-chain.ts'
import type { IdentityStore } from '../identity/store.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import { type Probe, renewIdentity } from '../renewal/renew-identity.ts'
import { retrying, type RetryOptions } from '../retry/retrying.ts'
import { renewalDue } from './lifetime.ts'

/** Options of `enrollDevice`. */
export interface EnrollmentOptions {
  id: DeviceId | string
  /** Of a new key. Default P-256. */
  keyAlgorithm?: KeyAlgorithm
  est: EstClient
  store: IdentityStore
  /**
   * One-time token; a claim, or a certificate from the factory; or `approval`: none, and an operator is asked, which needs
   * patience (`retry`). Not needed while the stored identity is valid.
   */
  credential?: { token: string } | EstIdentity | 'approval'
  /**
   * What to do with a stored identity that is due for renewal: `renew` it now (default), or `keep` it, for a
   * device that connects with it and leaves the rest to `createRenewals`.
   */
  whenDue?: 'renew' | 'keep'
  /** Must approve of a renewed identity before it replaces the stored one. */
  probe?: Probe
  /** Repeats requests whose failure may pass, `pending` included. Default: every failure is thrown at once. */
  retry?: Omit<RetryOptions, 'signal'>
  /** Stops before the next request. */
  signal?: AbortSignal
  /** Default: the system's clock. */
  now?: () => Date
}

/** What `enrollDevice` gives. */
export interface Enrollment {
  identity: StoredIdentity
  /** True if no certificate was issued: `how` is `reused`. */
  reused: boolean
  /** `enrolled` with the token, `renewed` with the identity before, or `reused` from the store. */
  how: 'enrolled' | 'renewed' | 'reused'
  /** Why a renewal that is due did not work; the stored identity is still valid and was reused. */
  renewalFailure?: DeviceClientError
}

/**
 * Gives a device its identity, by the shortest way: the stored one if it is valid, for this id and issued below
 * the trust anchors; renewed over mutual TLS if two thirds of its life are over; otherwise a new one for the
 * token; and if it has expired and no token is taken, renewed all the same if the server allows it. Idempotent: key and CSR are on disk before the first request, and a run after a crash, at whatever
 * moment, sends the same request, for which the server gives the same certificate.
 *
 * Throws DeviceClientError: `credentials-exhausted` (no valid identity, no token, and no renewal after expiry), `store-other-device` (the
 * store holds another device's identity, which is not overwritten), what the store throws, and what
 * `EstClient.simpleEnroll` throws; PkiError `device-id-invalid`; `aborted`.
 */
export async function enrollDevice(options: EnrollmentOptions): Promise<Enrollment> {
  const id = parseDeviceId(options.id)
  const now = (options.now ?? (() => new Date()))()
  const stored = await loadOwn(options.store, id)
  const state = stored ? stateOf(stored, options.est, now) : 'unusable'
  if (stored && (state === 'valid' || (state === 'renewal-due' && options.whenDue === 'keep'))) {
    await options.store.sweep()
    return { identity: withCurrentChain(stored, options.est.anchors, now), reused: true, how: 'reused' }
  }
  if (stored && state === 'renewal-due') return renewInTime(options, stored)
  const staged = await options.store.loadStaged()
  if (staged?.id === id && stateOf(staged, options.est, now) === 'valid') {
    // A renewal that was cut short: unproven, but the identity before it is worth nothing any more.
    await options.store.promote(staged)
    await options.store.sweep()
    return { identity: staged, reused: false, how: 'renewed' }
  }
  return stored && state === 'expired' ? afterExpiry(options, id, stored) : enrollAnew(options, id, stored)
}

async function renewInTime(options: EnrollmentOptions, stored: StoredIdentity): Promise<Enrollment> {
  try {
    return await renew(options, stored)
  } catch (error) {
    // The current certificate is good for another third of its life; losing it to a server that is down would
    // be the worse failure.
    if (!(error instanceof DeviceClientError) || error.code === 'aborted') throw error
    return { identity: stored, reused: true, how: 'reused', renewalFailure: error }
  }
}

async function renew(options: EnrollmentOptions, stored: StoredIdentity): Promise<Enrollment> {
  const identity = await retrying(async () => renewIdentity(options, stored), retryOptions(options))
  return { identity, reused: false, how: 'renewed' }
}

/** A token is a newer decision of the operator than the certificate; one that was used is none. */
async function afterExpiry(
  options: EnrollmentOptions,
  id: DeviceId,
  stored: StoredIdentity,
): Promise<Enrollment> {
  if (!options.credential) return renew(options, stored)
  try {
    return await enrollAnew(options, id, stored)
  } catch (error) {
    if (!(error instanceof DeviceClientError) || error.code !== 'credential-refused') throw error
    return renew(options, stored)
  }
}

async function enrollAnew(
  options: EnrollmentOptions,
  id: DeviceId,
  stored: StoredIdentity | undefined,
): Promise<Enrollment> {
  const { credential, store } = options
  if (!credential) {
    throw new DeviceClientError(
      'credentials-exhausted',
      `${id} has no valid identity in ${store.directory} and no token: have a new token made for it`,
    )
  }
  const identity = await obtain(options, id, stored, credential)
  return { identity, reused: false, how: 'enrolled' }
}

function retryOptions({ retry = { maxAttempts: 1 }, signal }: EnrollmentOptions): RetryOptions {
  return signal ? { ...retry, signal } : retry
}

/** Asks for a certificate with the credential and the pending request, and stores it. */
async function obtain(
  options: EnrollmentOptions,
  id: DeviceId,
  before: StoredIdentity | undefined,
  credential: NonNullable<EnrollmentOptions['credential']>,
): Promise<StoredIdentity> {
  const { est, store, keyAlgorithm = 'P-256' } = options
  const request = await store.pendingRequest({ id, keyAlgorithm })
  const sent = sentCredential(id, credential)
  const patience = retryOptions(options)
  try {
    const certificate = await retrying(async () => est.simpleEnroll(request.csr, sent), patience)
    const chain = await retrying(async () => est.issuersOf(certificate), patience)
    const obtainedAt = (options.now ?? (() => new Date()))()
    await store.save({ privateKey: request.privateKey, certificate, chain, obtainedAt })
    await store.forgetRequest(request)
  } catch (error) {
    // Another process on this store was faster: its certificate is as good, and its answer the last word.
    const other = await store.load()
    if (other && other.certificate.fingerprint256 !== before?.certificate.fingerprint256) {
      await store.forgetRequest(request)
      return other
    }
    // A request that the server refuses for its content would be refused for ever; a new key may pass.
    if (error instanceof DeviceClientError && error.code === 'request-refused')
      await store.forgetRequest(request)
    throw error
  }
  const identity = await store.load()
  if (!identity)
    throw new DeviceClientError('store-failed', `${store.directory}: the identity just stored is gone`)
  return identity
}

function sentCredential(
  id: DeviceId,
  credential: NonNullable<EnrollmentOptions['credential']>,
): EstCredential | EstIdentity | undefined {
  if (credential === 'approval') return undefined
  return 'token' in credential ? { username: id, password: credential.token } : credential
}

async function loadOwn(store: IdentityStore, id: DeviceId): Promise<StoredIdentity | undefined> {
  const stored = await store.load()
  if (stored && stored.id !== id) {
    throw new DeviceClientError(
      'store-other-device',
      `${store.directory} holds the identity of ${stored.id}, not of ${id}: give each device a directory of its own`,
    )
  }
  return stored
}

function stateOf(
  stored: StoredIdentity,
  est: EstClient,
  now: Date,
): 'valid' | 'renewal-due' | 'expired' | 'unusable' {
  const { notAfter } = stored.certificate
  const isExpired = now >= notAfter
  const at = isExpired ? new Date(notAfter.getTime() - 1) : now
  try {
    currentChain(stored, est.anchors, at)
  } catch {
    return 'unusable'
  }
  if (isExpired) return 'expired'
  return now < renewalDue(stored) ? 'valid' : 'renewal-due'
}
