import type { Standing } from '../admission/standing.ts'
import type { RegistryEvent } from './registry-event.ts'
import { type CertificateRef, RevocationSet } from './revocation-set.ts'
import { type PackedTable, SerialTable } from './serial-table.ts'
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

/** A change of what is known, as plain values: another process that takes the same steps knows the same. */
export type RevocationStep =
  | { readonly what: 'issuers'; readonly keyIds: ReadonlyMap<string, string> }
  | {
      readonly what: 'list'
      readonly issuerKeyId: string
      readonly table: PackedTable
      readonly upTo: number
    }
  | { readonly what: 'included'; readonly issuerKeyId: string; readonly upTo: number }
  | {
      readonly what: 'effect'
      readonly certificate: CertificateRef
      readonly effect: RegistryEvent['effect']
      readonly eventId: number
    }
  /** An age and not a moment: clocks may be set between two steps. */
  | { readonly what: 'confirmed'; readonly ageMs: number }

/** Everything the broker knows about revoked certificates, and how old that knowledge is. */
export class Revocation implements RevocationView {
  readonly set: RevocationSet
  readonly staleness: Staleness
  /** Subject key identifiers by the ids that events use. */
  #keyIds: ReadonlyMap<string, string>
  readonly #now: () => number
  readonly #listeners = new Set<RevocationListener>()
  readonly #followers = new Set<(step: RevocationStep) => void>()

  constructor(issuers: TrustedIssuers, staleness: StalenessOptions) {
    this.#keyIds = keyIdsOf(issuers)
    this.#now = staleness.now
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
    this.#setKeyIds(keyIdsOf(issuers))
  }

  #setKeyIds(keyIds: ReadonlyMap<string, string>): void {
    this.#keyIds = keyIds
    this.set.setIssuers(keyIds.values())
    this.#tell({ what: 'issuers', keyIds })
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
    this.#tell({ what: 'effect', certificate, effect, eventId })
    for (const { onChange } of this.#listeners) onChange(certificate)
  }

  /** Puts a list in the place of the last one of its issuing CA and tells the listeners. */
  replaceList(issuerKeyId: string, table: SerialTable, upTo: number): void {
    this.set.replaceList(issuerKeyId, table, upTo)
    if (this.#followers.size > 0) this.#tell({ what: 'list', issuerKeyId, table: table.pack(), upTo })
    for (const { onReplaced } of this.#listeners) onReplaced()
  }

  /** The list of this issuing CA includes, unchanged, the events up to this one. */
  includeUpTo(issuerKeyId: string, upTo: number): void {
    this.set.includeUpTo(issuerKeyId, upTo)
    this.#tell({ what: 'included', issuerKeyId, upTo })
  }

  /** Everything known at `atMs` (milliseconds since 1970) was complete. Nothing is confirmed before there are all lists. */
  confirm(atMs: number): void {
    if (!this.set.isComplete) return
    const wasStale = this.staleness.isStale()
    this.staleness.confirm(atMs)
    this.#tellConfirmed()
    if (!wasStale || this.staleness.isStale()) return
    for (const { onRecent } of this.#listeners) onRecent?.()
  }

  /**
   * Hands over everything that is known now and then, in the turn in which it happens, every change: `take` of another
   * process gets it. Returns the way to stop that.
   */
  readonly relay = (follower: (step: RevocationStep) => void): (() => void) => {
    follower({ what: 'issuers', keyIds: this.#keyIds })
    for (const { table, ...list } of this.set.lists())
      follower({ what: 'list', ...list, table: table.pack() })
    for (const { mark, eventId, ...certificate } of this.set.pending()) {
      follower({ what: 'effect', certificate, effect: mark, eventId })
    }
    const ageMs = this.staleness.ageMs()
    if (ageMs !== undefined) follower({ what: 'confirmed', ageMs })
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }

  /** Takes a step that `relay` of another process has handed over. */
  take(step: RevocationStep): void {
    switch (step.what) {
      case 'issuers':
        return this.#setKeyIds(step.keyIds)
      case 'list':
        return this.replaceList(step.issuerKeyId, SerialTable.unpack(step.table), step.upTo)
      case 'included':
        return this.includeUpTo(step.issuerKeyId, step.upTo)
      case 'effect':
        return this.applyTo(step.certificate, step.effect, step.eventId)
      case 'confirmed':
        return this.confirm(this.#now() - step.ageMs)
    }
  }

  #tell(step: RevocationStep): void {
    for (const follower of this.#followers) follower(step)
  }

  #tellConfirmed(): void {
    const ageMs = this.staleness.ageMs()
    if (ageMs !== undefined) this.#tell({ what: 'confirmed', ageMs })
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
