import type { ConnectionOptions } from 'node:tls'
import type { Logger } from '@fleetroot/service'
import type { Authorities, IssuingAuthority } from '../authorities/authorities.ts'
import { BrokerError } from '../error.ts'
import type { ListRecord, RevocationCopy, Snapshot } from './copy.ts'
import { type AcceptedList, judgeList, type ListVersion } from './list-acceptance.ts'
import { downloadList } from './list-download.ts'
import type { Revocation } from './revocation.ts'

/** Where the lists come from. */
export interface ListsOptions {
  readonly revocation: Revocation
  /** Those of now. */
  readonly authorities: () => Pick<Authorities, 'issuing'>
  readonly url: string
  readonly tls: () => ConnectionOptions
  readonly copy: RevocationCopy
  readonly log: Logger
  readonly now: () => number
}

/** What came of a poll. */
export interface PollResult {
  /** Why a list could not be had; undefined: all of them were fetched or are unchanged. */
  readonly failure: BrokerError | undefined
  /** None of them is past its nextUpdate. */
  readonly areCurrent: boolean
}

const timeoutMs = 10_000

/** The revocation list of each issuing CA: fetched when it has changed, verified, put to use, and kept. */
export class Lists {
  readonly #options: ListsOptions
  readonly #records = new Map<string, ListRecord>()
  readonly #held = new Map<string, ListVersion & { readonly nextUpdate: Date }>()

  constructor(options: ListsOptions) {
    this.#options = options
  }

  get records(): ReadonlyMap<string, ListRecord> {
    return this.#records
  }

  /**
   * Puts the copy on disk to use: the lists whose signature verifies, then what was in none yet, then the moment
   * when it was confirmed.
   */
  async restore(snapshot: Snapshot, ders: ReadonlyMap<string, Buffer>): Promise<void> {
    const { revocation, log, now } = this.#options
    for (const issuer of this.#issuing()) {
      const { id: name } = issuer
      const [record, der] = [snapshot.lists.get(name), ders.get(name)]
      if (der === undefined) continue
      const verdict = await judgeList(der, [issuer.certificate], this.#held, now())
      if (!verdict.accepted || record === undefined || verdict.list.number < record.number) {
        const reason = verdict.accepted ? 'list-older' : verdict.code
        log.warn({ list: name, reason }, 'the copy of a revocation list is not used')
        continue
      }
      // A list that is newer than its record is used; what the server said of another one is forgotten.
      const isOfRecord = verdict.list.number === record.number
      this.#use(name, verdict.list, { etag: isOfRecord ? record.etag : undefined, eventId: record.eventId })
    }
    for (const { mark, eventId, ...certificate } of snapshot.denials) {
      revocation.applyTo(certificate, mark, eventId)
    }
    if (snapshot.confirmedMs !== undefined) {
      const ends = [...this.#held.values()].map(({ nextUpdate }) => nextUpdate.getTime())
      revocation.confirm(Math.min(snapshot.confirmedMs, ...ends))
    }
  }

  /** Forgets the lists of CAs that are no longer trusted. Called when the authorities have changed. */
  retain(): void {
    const keyIds = new Map(this.#issuing().map(({ id, certificate }) => [id, certificate.subjectKeyId]))
    for (const id of this.#records.keys()) if (!keyIds.has(id)) this.#records.delete(id)
    const trusted = new Set(keyIds.values())
    for (const keyId of this.#held.keys()) if (!trusted.has(keyId)) this.#held.delete(keyId)
  }

  /** Fetches every list that has changed. One that fails does not keep the others from being used. */
  async poll(signal: AbortSignal, { isUnconditional = false } = {}): Promise<PollResult> {
    const results = await Promise.allSettled(
      this.#issuing().map((issuer) => this.#fetch(issuer, signal, isUnconditional)),
    )
    const failed = results.find((result) => result.status === 'rejected')
    const now = this.#options.now()
    const areCurrent = [...this.#held.values()].every(({ nextUpdate }) => now < nextUpdate.getTime())
    return { failure: failed === undefined ? undefined : asBrokerError(failed.reason), areCurrent }
  }

  async #fetch(issuer: IssuingAuthority, signal: AbortSignal, isUnconditional: boolean): Promise<void> {
    const { id: name, certificate } = issuer
    const { url, tls, copy, log, now, revocation } = this.#options
    const record = this.#records.get(name)
    const answer = await downloadList({
      url: new URL(`/crl/${name}.crl`, url),
      tls: tls(),
      etag: isUnconditional ? undefined : record?.etag,
      timeoutMs,
      signal,
    })
    if ('unchanged' in answer) {
      if (record !== undefined && answer.unchanged !== undefined && answer.unchanged > record.eventId) {
        this.#records.set(name, { ...record, eventId: answer.unchanged })
        revocation.includeUpTo(certificate.subjectKeyId ?? '', answer.unchanged)
      }
      return
    }
    const verdict = await judgeList(answer.der, [certificate], this.#held, now())
    // Retired while its list was on the way: there is nobody left whom it is about.
    if (!this.#isTrusted(issuer)) return
    if (!verdict.accepted) {
      throw new BrokerError(
        'revocation-list-invalid',
        `the revocation list ${name}.crl is not used (${verdict.code}): ${verdict.detail}`,
      )
    }
    const { list } = verdict
    const isNew = record?.number !== list.number
    this.#use(name, list, answer)
    copy.stage(name, list.der)
    if (!isNew) return
    const { number, nextUpdate, table } = list
    log.info(
      { list: name, number: String(number), entries: table.size, upToEvent: answer.eventId, nextUpdate },
      'revocation list in use',
    )
  }

  #issuing(): readonly IssuingAuthority[] {
    return this.#options.authorities().issuing
  }

  #isTrusted({ certificate }: IssuingAuthority): boolean {
    return this.#issuing().some((now) => now.certificate.subjectKeyId === certificate.subjectKeyId)
  }

  #use(name: string, list: AcceptedList, { etag, eventId }: Omit<ListRecord, 'number'>): void {
    const { issuerKeyId, number, thisUpdate, nextUpdate, table } = list
    this.#held.set(issuerKeyId, { number, thisUpdate, nextUpdate })
    this.#records.set(name, { number, etag, eventId })
    this.#options.revocation.replaceList(issuerKeyId, table, eventId)
  }
}

/** Whatever goes wrong with a list, the one held stays in use and the next poll follows. */
function asBrokerError(reason: unknown): BrokerError {
  if (reason instanceof BrokerError) return reason
  return new BrokerError('revocation-list-invalid', `a revocation list cannot be used: ${String(reason)}`, {
    cause: reason,
  })
}
