import { join } from 'node:path'

import { DeviceClientError } from '../error.ts'
import { createRecord, readRecord, removeRecord, replaceRecord, sweepAbandoned } from './record.ts'
import {
  formatIdentity,
  formatStored,
  type NewIdentity,
  parseIdentity,
  type StoredIdentity,
} from './stored-identity.ts'
import {
  formatPendingRequest,
  newPendingRequest,
  parsePendingRequest,
  type PendingRequest,
  type RequestSubject,
} from './pending-request.ts'

/** One device's key and certificate on disk. */
export interface IdentityStore {
  readonly directory: string
  /**
   * The identity, or undefined if there is none. Throws DeviceClientError `store-damaged` (a part is missing
   * or key and certificate do not match), `store-exposed` (readable by others), `store-failed`.
   */
  load(): Promise<StoredIdentity | undefined>
  /** Replaces key and certificate as a pair. Throws DeviceClientError `store-failed`. */
  save(identity: NewIdentity): Promise<void>
  /**
   * The key and CSR to ask with: those kept from an attempt that did not finish if they fit `subject`, new
   * ones otherwise. They are on disk when this returns, so that a retry after a crash sends the same request
   * and the server can give the same answer.
   */
  pendingRequest(subject: RequestSubject): Promise<PendingRequest>
  /** Forgets `request`, because it was answered or refused for good; leaves another one alone. */
  forgetRequest(request: PendingRequest): Promise<void>
  /**
   * The identity that a renewal staged and did not promote yet; undefined if there is none that is worth
   * anything: one that is damaged, that others could read, of another device, or that ends before the one in use.
   */
  loadStaged(): Promise<StoredIdentity | undefined>
  /** Keeps a renewed identity beside the one in use, which stays what `load` gives. */
  stage(identity: NewIdentity): Promise<StoredIdentity>
  /** Makes a staged identity the one in use, by one rename(2), and forgets that it was staged. */
  promote(staged: StoredIdentity): Promise<void>
  /** Forgets a staged identity, and the request for it: it turned out to be useless. */
  discard(staged: StoredIdentity): Promise<void>
  /**
   * Removes what killed processes left: temporary files, a request whose certificate is stored, and a staged
   * identity that was promoted or is worth nothing.
   */
  sweep(): Promise<void>
}

/**
 * Opens the identity store in `directory`, which is made (0700) when something is saved.
 *
 * Key, certificate and issuing CAs are one file, `identity.pem` (0600): what is replaced by one rename(2)
 * cannot mix two generations, whenever the process or the power dies, and there is no pointer to repair and
 * no old generation to clean. Programs on OpenSSL read the file as certificate chain and as key alike. The
 * request in progress is `pending.pem`, a renewed identity that is not proven yet `staged.pem`. Several processes
 * may share a store.
 */
export function openIdentityStore(directory: string): IdentityStore {
  const identityFile = join(directory, 'identity.pem')
  const pendingFile = join(directory, 'pending.pem')
  const stagedFile = join(directory, 'staged.pem')

  return {
    directory,
    load,
    loadStaged,

    async save(identity) {
      await sweepAbandoned(directory)
      await replaceRecord(identityFile, formatIdentity(identity))
    },

    async pendingRequest(subject) {
      await sweepAbandoned(directory)
      for (;;) {
        const kept = await keptRequest(subject)
        if (kept.fitting) return kept.fitting
        const request = await newPendingRequest(subject)
        const text = formatPendingRequest(request)
        if (kept.exists) {
          await replaceRecord(pendingFile, text)
          return request
        }
        // False: another process asks for this device at this moment. Both must send the same request.
        if (await createRecord(pendingFile, text)) return request
      }
    },

    async forgetRequest(request) {
      const text = await readRecord(pendingFile)
      if (text === formatPendingRequest(request)) await removeRecord(pendingFile)
    },

    async stage(identity) {
      await sweepAbandoned(directory)
      const text = formatIdentity(identity)
      const staged = parseIdentity(text, stagedFile)
      await replaceRecord(stagedFile, text)
      return staged
    },

    async promote(staged) {
      // What was proven is written, not what has the name: another process may have staged its own since.
      await replaceRecord(identityFile, formatStored(staged))
      await unstage(staged)
    },

    async discard(staged) {
      // The request first: alone it would be finished with the key that was found useless.
      if ((await readRecord(pendingFile))?.includes(staged.key)) await removeRecord(pendingFile)
      await unstage(staged)
    },

    async sweep() {
      await sweepAbandoned(directory)
      // In this order: a staged identity answers a pending request.
      await loadStaged()
      const text = await readRecord(pendingFile)
      if (text !== undefined && (await isAnswered(text))) await removeRecord(pendingFile)
    },
  }

  async function load(): Promise<StoredIdentity | undefined> {
    const text = await readRecord(identityFile)
    return text === undefined ? undefined : parseIdentity(text, identityFile)
  }

  async function loadStaged(): Promise<StoredIdentity | undefined> {
    const staged = await readStaged()
    if (staged === undefined) return undefined
    const inUse = await load()
    if (inUse === undefined || isNext(staged, inUse)) return staged
    await removeRecord(stagedFile)
    return undefined
  }

  async function readStaged(): Promise<StoredIdentity | undefined> {
    try {
      const text = await readRecord(stagedFile)
      return text === undefined ? undefined : parseIdentity(text, stagedFile)
    } catch (error) {
      // Nothing depends on it yet, and a key that others may know must not come into use.
      if (!(error instanceof DeviceClientError) || error.code === 'store-failed') throw error
      await removeRecord(stagedFile)
      return undefined
    }
  }

  async function unstage(staged: StoredIdentity): Promise<void> {
    if ((await readRecord(stagedFile)) === formatStored(staged)) await removeRecord(stagedFile)
  }

  async function keptRequest(
    subject: RequestSubject,
  ): Promise<{ exists: boolean; fitting?: PendingRequest }> {
    const text = await readRecord(pendingFile)
    if (text === undefined) return { exists: false }
    const fitting = await parsePendingRequest(text, subject)
    // A run that died before it could forget: a new request needs a new key.
    if (fitting && (await isAnswered(text))) return { exists: true }
    return fitting ? { exists: true, fitting } : { exists: true }
  }

  /** Whether the key of a pending record is that of the stored identity, or of a staged one. */
  async function isAnswered(pending: string): Promise<boolean> {
    const key = pending.slice(0, pending.indexOf('-----BEGIN CERTIFICATE REQUEST'))
    if (key === '') return false
    for (const file of [identityFile, stagedFile]) {
      if ((await readRecord(file))?.includes(key)) return true
    }
    return false
  }
}

function isNext(staged: StoredIdentity, inUse: StoredIdentity): boolean {
  const isSame = staged.certificate.fingerprint256 === inUse.certificate.fingerprint256
  return !isSame && staged.id === inUse.id && staged.certificate.notAfter >= inUse.certificate.notAfter
}
