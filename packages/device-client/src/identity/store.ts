import { join } from 'node:path'

import { createRecord, readRecord, removeRecord, replaceRecord, sweepAbandoned } from './record.ts'
import { formatIdentity, type NewIdentity, parseIdentity, type StoredIdentity } from './stored-identity.ts'
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
  /** Removes what killed processes left: temporary files, and a request whose certificate is stored. */
  sweep(): Promise<void>
}

/**
 * Opens the identity store in `directory`, which is made (0700) when something is saved.
 *
 * Key, certificate and issuing CAs are one file, `identity.pem` (0600): what is replaced by one rename(2)
 * cannot mix two generations, whenever the process or the power dies, and there is no pointer to repair and
 * no old generation to clean. Programs on OpenSSL read the file as certificate chain and as key alike. The
 * request in progress is `pending.pem`. Several processes may share a store.
 */
export function openIdentityStore(directory: string): IdentityStore {
  const identityFile = join(directory, 'identity.pem')
  const pendingFile = join(directory, 'pending.pem')

  return {
    directory,

    async load() {
      const text = await readRecord(identityFile)
      return text === undefined ? undefined : parseIdentity(text, identityFile)
    },

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

    async sweep() {
      await sweepAbandoned(directory)
      const text = await readRecord(pendingFile)
      if (text !== undefined && (await isAnswered(text))) await removeRecord(pendingFile)
    },
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

  /** Whether the key of a pending record is that of the stored identity. */
  async function isAnswered(pending: string): Promise<boolean> {
    const key = pending.slice(0, pending.indexOf('-----BEGIN CERTIFICATE REQUEST'))
    return key !== '' && ((await readRecord(identityFile))?.includes(key) ?? false)
  }
}
