import type { Standing } from '../admission/standing.ts'
import type { RegistryEvent } from './registry-event.ts'
import { type CertificateRef, RevocationSet } from './revocation-set.ts'
import type { SerialTable } from './serial-table.ts'
import { Staleness, type StalenessOptions } from './staleness.ts'

/** What the listeners and the engine ask, on every connection and for every message. */
export interface RevocationView {
  /** Of a certificate that is not barred by name it is `unknown` whenever nothing may pass. */
  readonly standingOf: (certificate: CertificateRef) => Standing
  /** Whether nothing at all may pass, because too little is known. */
  readonly isClosed: () => boolean
  /** Hears of every change. Returns the way to stop that. */
  readonly subscribe: (listener: RevocationListener) => () => void
}

/** Called in the same turn in which the knowledge changes. */
export interface RevocationListener {
  /** The standing of this certificate is another one. */
  readonly onChange: (certificate: CertificateRef) => void
  /** A list was replaced as a whole: any certificate may have another standing. */
  readonly onReplaced: () => void
  /** What was stale, or never known, is recent again. */
  readonly onRecent?: () => void
}

/** What is known now, for metrics and logs. */
export interface RevocationStatus {
  /** Undefined: nothing was ever known. */
  readonly ageMs: number | undefined
  readonly isStale: boolean
  readonly isClosed: boolean
  /** Revoked and suspended certificates, by subject key identifier of the issuing CA. */
  readonly entries: ReadonlyMap<string, number>
}

/** The issuing CAs that are trusted, as far as they matter here. */
export interface TrustedIssuers {
  readonly issuing: readonly {
    readonly id: string
    readonly certificate: { readonly subjectKeyId: string | undefined }
  }[]
}

/** Everything the broker knows about revoked certificates, and how old that knowledge is. */
export class Revocation implements RevocationView {
  readonly set: RevocationSet
  readonly staleness: Staleness
  /** Subject key identifiers by the ids that events use. */
  #keyIds: ReadonlyMap<string, string>
  readonly #listeners = new Set<RevocationListener>()

  constructor(issuers: TrustedIssuers, staleness: StalenessOptions) {
    this.#keyIds = keyIdsOf(issuers)
    this.set = new RevocationSet(this.#keyIds.values())
    this.staleness = new Staleness(staleness)
  }

  readonly standingOf = (certificate: CertificateRef): Standing => {
    const mark = this.set.markOf(certificate)
    if (mark === 'revoked' || mark === 'suspended' || mark === 'untrusted') return mark
    return mark === 'unlisted' || this.staleness.isClosed() ? 'unknown' : 'good'
  }

  readonly isClosed = (): boolean => this.staleness.isClosed()

  readonly subscribe = (listener: RevocationListener): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Trusts these issuing CAs and no others from now on, and tells the listeners before it returns. What is known of
   * those that stay is kept; of a new one nobody passes before there is a list.
   */
  setIssuers(issuers: TrustedIssuers): void {
    this.#keyIds = keyIdsOf(issuers)
    this.set.setIssuers(this.#keyIds.values())
    for (const { onReplaced } of this.#listeners) onReplaced()
  }

  /** Whether an issuing CA of this id is trusted. */
  knows(issuer: string): boolean {
    return this.#keyIds.has(issuer)
  }

  /** Applies an event, as far as it is about CAs that are trusted, and tells the listeners before it returns. */
  apply({ id, effect, certificates }: RegistryEvent): void {
    for (const { issuer, serial } of certificates) {
      const issuerKeyId = this.#keyIds.get(issuer)
      if (issuerKeyId !== undefined) this.applyTo({ issuerKeyId, serial }, effect, id)
    }
  }

  /** Applies what an event did to one certificate. */
  applyTo(certificate: CertificateRef, effect: RegistryEvent['effect'], eventId: number): void {
    if (!this.set.apply(certificate, effect, eventId)) return
    for (const { onChange } of this.#listeners) onChange(certificate)
  }

  /** Puts a list in the place of the last one of its issuing CA and tells the listeners. */
  replaceList(issuerKeyId: string, table: SerialTable, upTo: number): void {
    this.set.replaceList(issuerKeyId, table, upTo)
    for (const { onReplaced } of this.#listeners) onReplaced()
  }

  /** Everything known at `atMs` (milliseconds since 1970) was complete. Nothing is confirmed before there are all lists. */
  confirm(atMs: number): void {
    if (!this.set.isComplete) return
    const wasStale = this.staleness.isStale()
    this.staleness.confirm(atMs)
    if (!wasStale || this.staleness.isStale()) return
    for (const { onRecent } of this.#listeners) onRecent?.()
  }

  status(): RevocationStatus {
    return {
      ageMs: this.staleness.ageMs(),
      isStale: this.staleness.isStale(),
      isClosed: this.staleness.isClosed(),
      entries: this.set.sizes(),
    }
  }
}

function keyIdsOf({ issuing }: TrustedIssuers): Map<string, string> {
  return new Map(issuing.map(({ id, certificate }) => [id, certificate.subjectKeyId ?? id]))
}
