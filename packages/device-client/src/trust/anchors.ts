import type { Certificate } from '@fleetroot/pki'
import { parseTrust } from '@fleetroot/tls-config'

import { judgeRollover, type Rollover } from './rollover.ts'

/** What `TrustAnchors.learn` changed. */
export type AnchorChange = Pick<Rollover, 'added' | 'dropped' | 'refused'>

/** The roots that a device trusts at this moment, and what it knows of the CAs below them. */
export interface TrustAnchors {
  /** PEM, one each, the newest first. The same array until they change. */
  readonly pem: readonly string[]
  readonly certificates: readonly Certificate[]
  /** Issuing CAs and cross certificates of the last answer, to build chains from; they prove nothing by themselves. */
  readonly intermediates: readonly Certificate[]
  /** False: pinned for good, and `learn` only takes note of the intermediates. */
  readonly isLearning: boolean
  /**
   * Takes over an answer to cacerts, or its like, that came over TLS which one of these anchors has proven, by
   * the rule of `judgeRollover`. What is learned is on disk when this resolves. Rejects, with nothing changed,
   * with DeviceClientError `store-failed`.
   */
  learn(answer: readonly Certificate[]): Promise<AnchorChange>
}

/** Where trust is asked for: PEM texts that are pinned for good, or anchors that follow a rollover. */
export type Trust = readonly string[] | TrustAnchors

/** The anchors of now, PEM. */
export function trustPem(trust: Trust): readonly string[] {
  return isFixed(trust) ? trust : trust.pem
}

/** Anchors for either kind of trust. Throws TlsConfigError if a list holds no CA. */
export function trustAnchors(trust: Trust): TrustAnchors {
  return isFixed(trust) ? new FixedAnchors(trust) : trust
}

/** Anchors that never change. */
class FixedAnchors implements TrustAnchors {
  readonly pem: readonly string[]
  readonly certificates: readonly Certificate[]
  readonly isLearning = false
  #intermediates: readonly Certificate[] = []

  constructor(pem: readonly string[]) {
    this.pem = pem
    this.certificates = parseTrust(pem, 'option trust')
  }

  get intermediates(): readonly Certificate[] {
    return this.#intermediates
  }

  async learn(answer: readonly Certificate[]): Promise<AnchorChange> {
    this.#intermediates = intermediatesIn(answer, this.certificates)
    return { added: [], dropped: [], refused: [] }
  }
}

/** Anchors in memory that follow a rollover; `keep` is asked to write down every change before it counts. */
export class LearningAnchors implements TrustAnchors {
  readonly isLearning = true
  readonly #keep: (anchors: readonly Certificate[], intermediates: readonly Certificate[]) => Promise<void>
  readonly #now: () => Date
  #pem: readonly string[]
  #certificates: readonly Certificate[]
  #intermediates: readonly Certificate[]
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: {
    anchors: readonly Certificate[]
    intermediates: readonly Certificate[]
    keep: (anchors: readonly Certificate[], intermediates: readonly Certificate[]) => Promise<void>
    now: () => Date
  }) {
    this.#certificates = parts.anchors
    this.#pem = parts.anchors.map(({ pem }) => pem)
    this.#intermediates = parts.intermediates
    this.#keep = parts.keep
    this.#now = parts.now
  }

  get pem(): readonly string[] {
    return this.#pem
  }

  get certificates(): readonly Certificate[] {
    return this.#certificates
  }

  get intermediates(): readonly Certificate[] {
    return this.#intermediates
  }

  async learn(answer: readonly Certificate[]): Promise<AnchorChange> {
    // One after the other: each judges by what the one before has left.
    const learned = this.#last.then(async () => this.#take(answer))
    this.#last = learned.catch(() => undefined)
    return learned
  }

  async #take(answer: readonly Certificate[]): Promise<AnchorChange> {
    const rollover = judgeRollover(this.#certificates, answer, this.#now())
    const { anchors, added, dropped, refused } = rollover
    const isOurs = anchors.some(({ der }) => answer.some((listed) => listed.der.equals(der)))
    // An answer that lists none of our anchors says nothing about CAs below them either.
    if (!isOurs) return { added, dropped, refused }
    const intermediates = intermediatesIn(answer, anchors)
    const isNewSet = !isSame(anchors, this.#certificates)
    if (isNewSet || !isSame(intermediates, this.#intermediates)) await this.#keep(anchors, intermediates)
    this.#intermediates = intermediates
    if (isNewSet) {
      this.#certificates = anchors
      this.#pem = anchors.map(({ pem }) => pem)
    }
    return { added, dropped, refused }
  }
}

function isFixed(trust: Trust): trust is readonly string[] {
  return Array.isArray(trust)
}

function intermediatesIn(answer: readonly Certificate[], anchors: readonly Certificate[]): Certificate[] {
  return answer.filter(
    ({ der, basicConstraints }) =>
      basicConstraints?.ca === true && !anchors.some((anchor) => anchor.der.equals(der)),
  )
}

function isSame(one: readonly Certificate[], other: readonly Certificate[]): boolean {
  return one.length === other.length && one.every(({ der }, at) => other[at]?.der.equals(der) === true)
}
