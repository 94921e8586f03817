import type { Duplex } from 'node:stream'
import type { Identity } from '../admission/identity.ts'
import type { StandingRefusalCode } from '../admission/standing.ts'
import type { Outbox } from './outbox.ts'
import type { StoredSession } from '../store/stored-session.ts'

/** Why the broker ended a session. */
export type EndReason =
  | StandingRefusalCode
  | 'certificate-expired'
  | 'too-many-denials'
  | 'taken-over'
  | 'slow-reader'
  | 'message-rate'
  | 'byte-rate'
  | 'filter-rate'
  | 'connect-refused'
  | 'packet-refused'
  | 'store-failed'
  | 'internal-error'
  | 'operator'
  | 'shutdown'

/** Where a connection came in. */
export interface Origin {
  /** The name of the listener. */
  readonly listener: string
  readonly address: string
  /** `TLSv1.3`, and the group of its key exchange. */
  readonly tlsVersion?: string
  readonly group?: string
}

/** One connection of one identity, from the end of its TLS handshake on. */
export class Session {
  readonly identity: Identity
  readonly origin: Origin
  readonly stream: Duplex
  /** Resolves when nothing of this session is left in the engine: its subscriptions are off, its will is out. */
  readonly gone: Promise<void>
  /** What of it outlives the connection; undefined with clean session 1, before its CONNECT was admitted, and when it has ended. */
  stored: StoredSession | undefined
  /** Sends its queue, when it is stored. */
  outbox: Outbox | undefined
  /** Name of the MQTT session; undefined before its CONNECT was admitted. */
  key: string | undefined
  /** `waiting` for an older session to go, `admitted`, and `registered` when aedes counts it among its clients. */
  state: 'new' | 'waiting' | 'admitted' | 'registered' = 'new'
  /** Grows from session to session. */
  number = 0
  /** When the connection was taken over, in milliseconds since 1970. */
  sinceMs = 0
  /** Publishes and subscriptions denied so far. */
  denials = 0
  /** Topic filters granted; made with the first one. */
  filters: Set<string> | undefined
  endReason: EndReason | undefined
  /** How the client left, where it did and nobody ended the session. */
  departure: 'disconnected' | 'keep-alive' | undefined
  /** Nothing passes any more: not what has been read already, not what waits to be sent, no will. */
  isBarred = false
  readonly #resolveGone: () => void
  readonly #onEnd: (session: Session) => void

  constructor(identity: Identity, origin: Origin, stream: Duplex, onEnd: (session: Session) => void) {
    this.identity = identity
    this.origin = origin
    this.stream = stream
    const gone = Promise.withResolvers<void>()
    this.gone = gone.promise
    this.#resolveGone = gone.resolve
    this.#onEnd = onEnd
  }

  /** Ends the connection at once. aedes notices the closed stream and takes the session apart. Idempotent. */
  end(reason: EndReason): void {
    if (this.endReason !== undefined || this.stream.destroyed) return
    this.endReason = reason
    this.#onEnd(this)
    this.stream.destroy()
  }

  /** As `end`, and from this moment on nothing passes, whatever has ended or is ending the session already. */
  bar(reason: EndReason): void {
    this.isBarred = true
    this.end(reason)
    // A session that was to finish at leisure is cut as well.
    this.stream.destroy()
  }

  /**
   * As `end`, but what was sent to the client goes out first, and the client closes: a reset would overtake what
   * it has not read yet. After `patienceMs` milliseconds the connection is cut.
   */
  finish(reason: EndReason, patienceMs: number): void {
    if (this.endReason !== undefined || this.stream.destroyed) return
    this.endReason = reason
    this.#onEnd(this)
    const deadline = setTimeout(() => this.stream.destroy(), patienceMs)
    this.stream.once('close', () => clearTimeout(deadline))
    this.stream.end()
  }

  /** The client has unsubscribed from these. */
  giveUp(filters: readonly string[]): void {
    for (const filter of filters) this.filters?.delete(filter)
  }

  /** To be called when the engine has let go of the session. */
  markGone(): void {
    this.#resolveGone()
  }
}
