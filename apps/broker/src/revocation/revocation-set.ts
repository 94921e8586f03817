import type { SerialNumber } from '@fleetroot/pki'
import type { Effect } from './registry-event.ts'
import type { Mark, SerialTable } from './serial-table.ts'

/** A certificate, named as nothing else is: RFC 5280 makes a serial unique within its issuer's key only. */
export interface CertificateRef {
  /** Subject key identifier of the issuing CA, lower-case hex. */
  readonly issuerKeyId: string
  readonly serial: SerialNumber
}

/** What one event said about one certificate. */
interface Change {
  readonly mark: Mark
  readonly eventId: number
}

/** A denial that no list includes yet. */
export interface PendingDenial extends CertificateRef {
  readonly mark: Mark
  readonly eventId: number
}

interface IssuerRecord {
  /** Undefined until there is a list. */
  table: SerialTable | undefined
  /** The last event that the list includes. */
  upTo: number
  /** What events after the list have changed. */
  readonly changes: Map<SerialNumber, Change>
}

/**
 * Which certificates of which issuing CA may not pass: the last list of each, and on top of it what later events
 * have denied. Looked up in constant time. Events may come twice and in any order: what is known of a
 * certificate from a later event or list stands. Events only deny: a hold is released by a list that includes the
 * event which said so, because lists are signed by the CA and events are not.
 */
export class RevocationSet {
  readonly #issuers = new Map<string, IssuerRecord>()

  /** Knows nothing yet of these issuing CAs, and nothing of any other. */
  constructor(issuerKeyIds: Iterable<string>) {
    this.setIssuers(issuerKeyIds)
  }

  /** Knows these issuing CAs and no others; of a new one nothing yet. */
  setIssuers(issuerKeyIds: Iterable<string>): void {
    const keyIds = new Set(issuerKeyIds)
    for (const keyId of this.#issuers.keys()) if (!keyIds.has(keyId)) this.#issuers.delete(keyId)
    for (const keyId of keyIds) {
      if (!this.#issuers.has(keyId)) {
        this.#issuers.set(keyId, { table: undefined, upTo: 0, changes: new Map() })
      }
    }
  }

  /** Whether there is a list of every issuing CA. */
  get isComplete(): boolean {
    return [...this.#issuers.values()].every(({ table }) => table !== undefined)
  }

  /** The last event that is in all lists; undefined until the set is complete. */
  get listsUpTo(): number | undefined {
    return this.isComplete ? Math.min(...[...this.#issuers.values()].map(({ upTo }) => upTo)) : undefined
  }

  /** Entries of the lists and changes since, by issuing CA. */
  sizes(): Map<string, number> {
    return new Map(
      [...this.#issuers].map(([keyId, { table, changes }]) => [keyId, (table?.size ?? 0) + changes.size]),
    )
  }

  /** `unlisted`: of this issuing CA there is no list, so nothing can be said; `untrusted`: it is none of ours. */
  markOf({ issuerKeyId, serial }: CertificateRef): Mark | 'good' | 'unlisted' | 'untrusted' {
    const issuer = this.#issuers.get(issuerKeyId)
    if (issuer === undefined) return 'untrusted'
    const listed = issuer.table?.get(serial)
    const changed = issuer.changes.get(serial)?.mark
    if (listed === 'revoked' || changed === 'revoked') return 'revoked'
    const known = changed ?? listed
    return known ?? (issuer.table === undefined ? 'unlisted' : 'good')
  }

  /** Applies what an event did to a certificate. Says whether that certificate's mark is another one now. */
  apply(certificate: CertificateRef, effect: Effect, eventId: number): boolean {
    const issuer = this.#issuers.get(certificate.issuerKeyId)
    if (issuer === undefined || effect === 'none' || effect === 'resumed') return false
    if (eventId <= issuer.upTo) return false
    const { serial } = certificate
    const last = issuer.changes.get(serial)
    const isLater = last === undefined || eventId > last.eventId
    // A revocation is final: it counts late, and nothing after it does.
    if (last?.mark === 'revoked' || (!isLater && effect !== 'revoked')) return false
    const before = this.markOf(certificate)
    issuer.changes.set(serial, { mark: effect, eventId })
    return this.markOf(certificate) !== before
  }

  /** Puts a list in the place of the last one. Denials that it includes are forgotten. */
  replaceList(issuerKeyId: string, table: SerialTable, upTo: number): void {
    const issuer = this.#issuers.get(issuerKeyId)
    if (issuer === undefined) return
    issuer.table = table
    issuer.upTo = upTo
    for (const [serial, { mark, eventId }] of issuer.changes) {
      // `upTo` is not signed: a revocation is forgotten here only when it stands in the list.
      const isIncluded = mark === 'suspended' || table.get(serial) === 'revoked'
      if (eventId <= upTo && isIncluded) issuer.changes.delete(serial)
    }
  }

  /** The list of this issuing CA includes, unchanged, the events up to this one. What is denied stays denied until a list says otherwise. */
  includeUpTo(issuerKeyId: string, upTo: number): void {
    const issuer = this.#issuers.get(issuerKeyId)
    if (issuer?.table !== undefined) issuer.upTo = Math.max(issuer.upTo, upTo)
  }

  /** The lists that there are. */
  *lists(): Generator<{ issuerKeyId: string; table: SerialTable; upTo: number }> {
    for (const [issuerKeyId, { table, upTo }] of this.#issuers) {
      if (table !== undefined) yield { issuerKeyId, table, upTo }
    }
  }

  /** How many changes are in no list yet. */
  get changed(): number {
    return [...this.#issuers.values()].reduce((sum, { changes }) => sum + changes.size, 0)
  }

  /** The denials that are in no list yet. */
  *pending(): Generator<PendingDenial> {
    for (const [issuerKeyId, { changes }] of this.#issuers) {
      for (const [serial, { mark, eventId }] of changes) yield { issuerKeyId, serial, mark, eventId }
    }
  }
}
