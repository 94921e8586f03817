import type { Standing } from '../admission/standing.ts'
import type { IssuerName, RegistryEvent } from './registry-event.ts'
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

/** The issuing CAs, as far as they matter here. */
export type IssuerKeys = Readonly<
  Record<IssuerName, readonly { readonly subjectKeyId: string | undefined }[]>
>

/** Everything the broker knows about revoked certificates, and how old that knowledge is. */
export class Revocation implements RevocationView {
  readonly set: RevocationSet
  readonly staleness: Staleness
  readonly #keyIds: Readonly<Record<IssuerName, readonly string[]>>
  readonly #listeners = new Set<RevocationListener>()

  constructor(issuers: IssuerKeys, staleness: StalenessOptions) {
    const keyIds = (name: IssuerName): string[] =>
      issuers[name].flatMap(({ subjectKeyId }) => subjectKeyId ?? [])
    this.#keyIds = { devices: keyIds('devices'), services: keyIds('services') }
    this.set = new RevocationSet([...this.#keyIds.devices, ...this.#keyIds.services])
    this.staleness = new Staleness(staleness)
  }

  readonly standingOf = (certificate: CertificateRef): Standing => {
    const mark = this.set.markOf(certificate)
    if (mark === 'revoked' || mark === 'suspended') return mark
    return mark === 'unlisted' || this.staleness.isClosed() ? 'unknown' : 'good'
  }

  readonly isClosed = (): boolean => this.staleness.isClosed()

  readonly subscribe = (listener: RevocationListener): (() => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Applies an event and tells the listeners before it returns. An event names a kind of issuing CA: while one is being
   * replaced there are two, and the serial counts for both, which no two certificates share.
   */
  apply({ id, effect, certificates }: RegistryEvent): void {
    for (const { issuer, serial } of certificates) {
      for (const issuerKeyId of this.#keyIds[issuer]) this.applyTo({ issuerKeyId, serial }, effect, id)
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
