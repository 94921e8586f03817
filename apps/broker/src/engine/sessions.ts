import type { Duplex } from 'node:stream'
import type { Logger } from '@fleetroot/service'
import type { Identity } from '../admission/identity.ts'
import type { StandingRefusal } from '../admission/standing.ts'
import { type BrokerCounts, count } from '../metrics/counts.ts'
import { CertificateIndex } from './certificate-index.ts'
import { type Origin, Session } from './session.ts'
import { Takeover } from './takeover.ts'

/** What aedes says of a connection on which no CONNECT came; it has no code. */
const connectTimeout = 'connect did not arrive in time'

/** Hears what becomes of sessions. */
export interface SessionObserver {
  /** Its CONNECT is admitted; it may have to wait for an older session to go. */
  readonly entered: (session: Session) => void
  readonly registered: (session: Session) => void
  /** Nothing is left of it; also of one that was never registered. */
  readonly left: (session: Session) => void
}

/** All sessions of an engine: who is connected, which aedes client is whose, and who has left. */
export class Sessions {
  /** Connections that are open. */
  readonly open = new Set<Session>()
  /** Connections by certificate, until nothing of them is left. */
  readonly ofCertificate = new CertificateIndex()
  readonly #ofClient = new WeakMap<object, Session>()
  #lastNumber = 0
  readonly #takeover = new Takeover()
  readonly #counts: BrokerCounts
  readonly #log: Logger
  readonly #observer: SessionObserver

  constructor(counts: BrokerCounts, log: Logger, observer: SessionObserver) {
    this.#observer = observer
    this.#counts = counts
    this.#log = log
  }

  /** Starts a session on a connection. */
  add(stream: Duplex, identity: Identity, origin: Origin): Session {
    const session = new Session(identity, origin, stream, (ending) => this.#ended(ending))
    session.number = this.#lastNumber += 1
    this.open.add(session)
    this.ofCertificate.add(session)
    this.#counts.open += 1
    stream.once('close', () => {
      this.open.delete(session)
      this.#counts.open -= 1
      // `waiting` goes when its turn comes, `registered` when aedes has taken it apart.
      if (session.state === 'new' || session.state === 'admitted') this.letGo(session)
    })
    return session
  }

  /** Tells which aedes client belongs to a session. */
  bind(client: object, session: Session): void {
    this.#ofClient.set(client, session)
  }

  of(client: object): Session | undefined {
    return this.#ofClient.get(client)
  }

  /** Step 6 of admission: resolves to true when the session is alone on `key`, to false when it has ended meanwhile. */
  async enter(session: Session, key: string): Promise<boolean> {
    session.key = key
    session.state = 'waiting'
    this.#observer.entered(session)
    await this.#takeover.enter(session, key)
    session.state = 'admitted'
    if (session.stream.destroyed) this.letGo(session)
    return !session.stream.destroyed
  }

  /** Ends the session on `key` because its client connects elsewhere. Returns whether there is one. */
  giveWay(key: string): boolean {
    const holder = this.#takeover.holder(key)
    holder?.end('taken-over')
    return holder !== undefined
  }

  /** aedes counts the session among its clients. */
  register(session: Session): void {
    session.state = 'registered'
    this.#counts.admitted += 1
    this.#observer.registered(session)
    this.#log.debug(describe(session), 'session started')
  }

  /** The engine has let go of the session. */
  letGo(session: Session): void {
    this.#observer.left(session)
    this.#takeover.leave(session)
    this.ofCertificate.delete(session)
    session.markGone()
  }

  /** Counts and logs that a session was refused before it was one; the caller ends it. */
  refuse(
    session: Session,
    endReason: 'connect-refused' | 'packet-refused' | 'store-failed' | StandingRefusal['code'],
    reason: string,
    detail: string,
  ): void {
    session.endReason = endReason
    count(this.#counts.refused, reason)
    this.#log.warn({ ...describe(session), reason, detail }, 'connection refused')
  }

  /** Logs an error of a connection, unless it follows from our own decision to end it. */
  fail(session: Session, error: Error): void {
    if (session.endReason !== undefined) return
    if (session.state === 'new' && error.message === connectTimeout) {
      return this.refuse(session, 'connect-refused', 'connect-timeout', 'its CONNECT did not come in time')
    }
    this.#log.info({ ...describe(session), error: error.message }, 'connection failed')
  }

  /** The client has said nothing for one and a half of its keep alive [MQTT-3.1.2-24]; aedes ends it. */
  lapse(session: Session): void {
    session.departure = 'keep-alive'
    count(this.#counts.ended, 'keep-alive')
  }

  /** Ends a session in which something happened that must not happen. */
  break(session: Session, error: Error): void {
    this.#log.error({ ...describe(session), err: error }, 'a packet met an error of the broker')
    session.end('internal-error')
  }

  #ended(session: Session): void {
    count(this.#counts.ended, session.endReason ?? 'unknown')
    const level = session.endReason === 'shutdown' ? 'debug' : 'warn'
    this.#log[level]({ ...describe(session), reason: session.endReason }, 'session ended')
  }
}

function describe({ identity, origin }: Session): object {
  return { deviceId: identity.id, role: identity.role, serial: identity.serial, ...origin }
}
