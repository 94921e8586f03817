import type { PublishPacket } from 'aedes'
import type { Identity } from '../admission/identity.ts'
import { BrokerError } from '../error.ts'
import type { Publication, Store } from '../store/store.ts'
import type { PeerMessage } from '../store/peers.ts'
import type { StoredSession } from '../store/stored-session.ts'
import type { LeftWill } from '../store/wills.ts'
import { type Gates, silence } from './gates.ts'
import type { Session } from './session.ts'
import type { Sessions } from './sessions.ts'

/** The part of an aedes broker that takes messages. */
export interface PublishingBroker {
  publish: Publish
}

type Publish = (packet: PublishPacket, client: object | null | Done, done?: Done) => void
type Done = (error?: Error) => void

/** A message of the broker itself, with what it depends on. */
type OwnPacket = PublishPacket & Pick<Publication, 'presence' | 'settles'>

/** What publishing is decided by. */
export interface PublishingOptions {
  readonly store: Store
  readonly gates: Gates
  readonly sessions: Sessions
  /** QoS 2 messages of one session that wait for their PUBREL. */
  readonly maxInflight: number
  /** May a message on this topic wait for this session? */
  readonly mayQueue: (stored: StoredSession, topic: string) => boolean
}

/**
 * Takes over responsibility for messages before they are acknowledged. aedes acknowledges first, and stores and queues what
 * it has acknowledged afterwards: whoever kills it in between has a message that its sender has forgotten and nobody
 * else has ever heard of. Here a message is safe in the queue of everyone who is to get it, and in the place of the retained one, before
 * aedes hears of it.
 */
export class Publishing {
  readonly #options: PublishingOptions
  /** Packets that the store has already. */
  readonly #accepted = new WeakSet<object>()
  /** QoS 2 packets that came for the first time, for aedes' question whether they did. */
  readonly #fresh = new WeakSet<object>()

  constructor(options: PublishingOptions) {
    this.#options = options
  }

  /**
   * A PUBLISH of a client: calls back when it may be acknowledged, and never when it may not, because the store cannot be
   * written: the session is ended then.
   */
  receive(session: Session, packet: PublishPacket, done: Done): void {
    const { store, gates, maxInflight } = this.#options
    const { qos } = packet
    const messageId = packet.messageId ?? 0
    const key = session.key!
    if (qos > 0 && messageId < 1) {
      // Also of one that ends before its identifier, for which mqtt-packet says -1.
      return this.#refuse(
        session,
        'packet-identifier',
        `PUBLISH at QoS ${qos} without a packet identifier [MQTT-2.3.1-1]`,
      )
    }
    // Nothing is taken into memory that may never reach the disk.
    if (store.journal.isFailing && (qos > 0 || packet.retain)) return session.end('store-failed')
    if (qos === 2) {
      const window = store.window(key)
      // Sent again [MQTT-4.3.3-2]: it may be acknowledged as soon as the first one may.
      if (window.has(messageId)) return this.#whenSafe(session, store.journal.flushed(), done)
      if (window.size >= maxInflight) {
        return this.#refuse(
          session,
          'too-many-unreleased',
          `${maxInflight} QoS 2 messages of this session wait for their PUBREL already`,
        )
      }
    }
    gates.admitPublish(session, packet)
    if (qos === 0 && !packet.retain) return done()
    this.#accepted.add(packet)
    if (qos === 2) this.#fresh.add(packet)
    const incoming = qos === 2 ? { incoming: { key, messageId } } : {}
    const safe = this.#accept(packet, session.identity, incoming)
    if (qos > 0) return this.#whenSafe(session, safe, done, packet)
    // Nobody waits for it: those who are connected to this broker get it, kept or not.
    const { topic } = packet
    safe?.then((verdict) => verdict === 'full' && gates.denyRetained(session, topic)).catch(() => undefined)
    done()
  }

  /** Has this QoS 2 packet been seen for the first time? True once. */
  isFresh(packet: object): boolean {
    return this.#fresh.delete(packet)
  }

  /** Makes a broker hand over to the store what it publishes otherwise: wills, and messages of its own. */
  cover(broker: PublishingBroker): void {
    const { sessions, store } = this.#options
    const publish = broker.publish.bind(broker)
    broker.publish = (packet, client, done) => {
      if (this.#accepted.has(packet)) return publish(packet, client, done)
      const { topic, payload, qos, retain, presence, settles } = packet as OwnPacket
      // What aedes says in its own name has neither.
      if ((qos ?? 0) === 0 && !retain) {
        if (!topic.startsWith('$')) store.peers?.forward({ topic, payload: Buffer.from(payload) })
        return publish(packet, client, done)
      }
      const owner =
        typeof client === 'function' || client === null ? undefined : sessions.of(client)?.identity
      const more = { ...(presence && { presence }), ...(settles !== undefined && { settles }) }
      const safe = this.#accept(packet, owner, more)
      const go = (): void => publish(packet, client, done)
      if (safe === undefined) go()
      // Nobody is told that it is safe, and the store goes on to try.
      else
        safe.then(
          (verdict) => (goesNowhere(verdict) ? (typeof client === 'function' ? client : done)?.() : go()),
          go,
        )
    }
  }

  /** Delivers what another broker has accepted. */
  deliver(broker: PublishingBroker, message: PeerMessage): void {
    const packet = { cmd: 'publish', dup: false, ...message } as unknown as PublishPacket
    this.#accepted.add(packet)
    broker.publish(packet, null, () => undefined)
  }

  /** Publishes a will whose client was connected when the broker was killed. */
  publishLeft(broker: PublishingBroker, { key, owner, will }: LeftWill): void {
    const packet = { cmd: 'publish', dup: false, ...will } as unknown as PublishPacket
    this.#accepted.add(packet)
    const safe = this.#accept(packet, owner, { settles: key })
    const go = (): void => broker.publish(packet, null, () => undefined)
    if (safe === undefined) go()
    else safe.then((verdict) => (goesNowhere(verdict) ? undefined : go()), go)
  }

  #accept(
    { topic, payload, qos, retain }: PublishPacket,
    owner: Identity | undefined,
    more: Pick<Publication, 'incoming' | 'settles' | 'presence'> = {},
  ): Promise<unknown> | undefined {
    const { store, mayQueue } = this.#options
    return store.accept({
      topic,
      payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
      qos,
      retain,
      owner,
      mayQueue: (stored) => mayQueue(stored, topic),
      ...more,
    })
  }

  /** Ends a connection for what came on it. */
  #refuse(session: Session, reason: 'packet-identifier' | 'too-many-unreleased', detail: string): void {
    this.#options.sessions.refuse(session, 'packet-refused', reason, detail)
    session.stream.destroy()
  }

  #whenSafe(session: Session, safe: Promise<unknown> | undefined, done: Done, packet?: PublishPacket): void {
    if (safe === undefined) done()
    else void this.#answer(session, safe, done, packet)
  }

  async #answer(
    session: Session,
    safe: Promise<unknown>,
    done: Done,
    packet: PublishPacket | undefined,
  ): Promise<void> {
    try {
      const verdict = await safe
      if (verdict === 'full' && packet !== undefined) {
        this.#options.gates.denyRetained(session, packet.topic)
        silence(packet)
      }
    } catch (error) {
      // Without an answer to its message a client sends it again; MQTT 3.1.1 has no other way to say no.
      if (error instanceof BrokerError) session.end('store-failed')
      else this.#options.sessions.break(session, error as Error)
      return
    }
    done()
  }
}

/** What a store says of a message that nobody is to get. */
function goesNowhere(verdict: unknown): boolean {
  return verdict === 'void' || verdict === 'full'
}
