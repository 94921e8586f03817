import type { Session } from '../engine/session.ts'
import { ownerName } from '../store/retained.ts'
import { lifecycleTopic, presenceTopic } from '@fleetroot/policy'

/** A message that the broker sends in its own name. */
export interface OwnMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1
  readonly retain: boolean
  /** It is to be said only if it is so for all brokers together. */
  readonly presence?: { readonly id: string; readonly online: boolean }
  /** A debt of a broker that is gone, paid with it. */
  readonly settles?: string
}

/** The payload of `fleet/presence/<device id>`, as JSON. */
export interface PresenceState {
  readonly online: boolean
  /** When that began, ISO 8601. */
  readonly since: string
  /** `connected`, or why it is not: `disconnected`, `connection-lost`, `keep-alive`, or why the broker ended it. */
  readonly reason: string
  /** Grows with every message of this broker: of two, the one with the higher number is newer. */
  readonly version: number
  /** The certificate's. */
  readonly serial: string
  /** When the certificate ends, ISO 8601. */
  readonly expires: string
}

/** Retained messages. */
type RetainedStates = AsyncIterable<{ readonly topic: string; readonly payload: string | Uint8Array }>

/** Messages that are published at the same time after a restart: a store commits them together. */
const atOnce = 1_000

/** What is known of one identity. */
interface Record {
  /** Its sessions from an admitted CONNECT until nothing of them is left. */
  readonly sessions: Set<Session>
  isOnline: boolean
  serial: string
  /** The newest state that has not been published; older ones that nobody has seen are left out. */
  next: PresenceState | undefined
  isPublishing: boolean
}

/**
 * Says which devices are connected, and what happens to connections. A device is online from its first admitted session to the end
 * of its last; when a new connection takes its session over it stays online, and the message names the new
 * certificate. Messages about one device are published one after the other, so that the last one that was published
 * is the one that is retained. Of services and operators, which may have the id of a device, it says what happens to
 * their connections, and with it their role.
 */
export class Presence {
  readonly #publish: (message: OwnMessage) => Promise<void>
  readonly #now: () => number
  readonly #statesOf: ((id: string) => RetainedStates) | undefined
  /** By role and id. */
  readonly #records = new Map<string, Record>()
  #version = 0
  #underWay = 0
  #whenSettled: (() => void)[] = []

  /** `now` in milliseconds since 1970; `statesOf`, where there are other brokers: what all of them have last said of a device, retained. */
  constructor(
    publish: (message: OwnMessage) => Promise<void>,
    now: () => number,
    statesOf?: (id: string) => RetainedStates,
  ) {
    this.#publish = publish
    this.#now = now
    this.#statesOf = statesOf
  }

  /** A CONNECT is admitted; the session may have to wait for an older one to go. */
  entered(session: Session): void {
    const name = ownerName(session.identity)
    let record = this.#records.get(name)
    if (record === undefined) {
      record = { sessions: new Set(), isOnline: false, serial: '', next: undefined, isPublishing: false }
      this.#records.set(name, record)
    }
    record.sessions.add(session)
  }

  /** The session is one now. */
  registered(session: Session): void {
    const { role, serial } = session.identity
    this.#tell(session, 'connected', 'connected')
    const record = this.#records.get(ownerName(session.identity))
    if (record === undefined || role !== 'device') return
    const hasOther = [...record.sessions].some((other) => other !== session && other.state === 'registered')
    if (record.isOnline && hasOther && record.serial === serial) return
    record.isOnline = true
    record.serial = serial
    this.#announce(session, record, this.#stateOf(session, true, 'connected'))
  }

  /** Nothing is left of the session. */
  left(session: Session): void {
    const name = ownerName(session.identity)
    const record = this.#records.get(name)
    if (record?.sessions.delete(session) !== true) return
    const reason = session.endReason ?? session.departure ?? 'connection-lost'
    if (session.state === 'registered') this.#tell(session, 'disconnected', reason)
    if (record.sessions.size > 0) return
    if (record.isOnline) {
      record.isOnline = false
      this.#announce(session, record, this.#stateOf(session, false, reason))
      return
    }
    this.#forget(name, record)
    // Another broker may have handed the device over to it: then "offline" was not true there, and nobody else will say it.
    if (session.state === 'admitted' && session.identity.role === 'device')
      void this.#neverCame(session.identity.id, reason)
  }

  /** Says of everybody whom an earlier run left online, as retained messages say, that they are not. */
  async restart(retained: RetainedStates): Promise<void> {
    const left: [string, PresenceState][] = []
    for await (const { topic, payload } of retained) {
      const state = parseState(payload)
      if (state === undefined) continue
      this.#version = Math.max(this.#version, state.version)
      if (state.online) left.push([topic, state])
    }
    const since = new Date(this.#now()).toISOString()
    for (let from = 0; from < left.length; from += atOnce) {
      await Promise.all(
        left.slice(from, from + atOnce).map(([topic, state]) => {
          const offline = { online: false, since, reason: 'broker-restarted', version: this.#nextVersion() }
          const payload = Buffer.from(JSON.stringify({ ...state, ...offline }))
          return this.#publish({ topic, payload, qos: 1, retain: true })
        }),
      )
    }
  }

  /** Says of a device whose broker is gone that it is not connected, and pays the debt that this is. Resolves to whether there was any need. */
  async absent(id: string, settles: string): Promise<boolean> {
    return this.#correct(id, 'broker-lost', { settles })
  }

  async #neverCame(id: string, reason: string): Promise<void> {
    this.#begin()
    try {
      await this.#correct(id, reason)
    } catch {
      // The store cannot say what was said. It has told that it failed, and whoever was connected there is gone as well.
    } finally {
      this.#end()
    }
  }

  /** Says that a device is offline, if the last that was said is that it is online. Resolves to whether it was. */
  async #correct(id: string, reason: string, more: Pick<OwnMessage, 'settles'> = {}): Promise<boolean> {
    for await (const { topic, payload } of this.#statesOf?.(id) ?? []) {
      const state = parseState(payload)
      if (state?.online !== true) continue
      this.#version = Math.max(this.#version, state.version)
      const since = new Date(this.#now()).toISOString()
      const offline = { ...state, online: false, since, reason, version: this.#nextVersion() }
      const message = { topic, payload: Buffer.from(JSON.stringify(offline)), qos: 1, retain: true } as const
      await this.#publish({ ...message, presence: { id, online: false }, ...more })
      return true
    }
    return false
  }

  /** Another broker has said this: whatever is said here from now on is newer. */
  heard(payload: string | Uint8Array): void {
    this.#version = Math.max(this.#version, parseState(payload)?.version ?? 0)
  }

  /** Resolves when everything has been published. */
  async settled(): Promise<void> {
    if (this.#underWay > 0) await new Promise<void>((resolve) => this.#whenSettled.push(resolve))
  }

  #stateOf({ identity }: Session, online: boolean, reason: string): PresenceState {
    return {
      online,
      since: new Date(this.#now()).toISOString(),
      reason,
      version: this.#nextVersion(),
      serial: identity.serial,
      expires: new Date(identity.notAfterMs).toISOString(),
    }
  }

  /** Grows over restarts, too, by the clock and by what was retained. */
  #nextVersion(): number {
    return (this.#version = Math.max(this.#version + 1, this.#now()))
  }

  #announce({ identity }: Session, record: Record, state: PresenceState): void {
    record.next = state
    if (!record.isPublishing) void this.#publishAll(identity, record)
  }

  async #publishAll(identity: Session['identity'], record: Record): Promise<void> {
    const { id } = identity
    record.isPublishing = true
    this.#begin()
    while (record.next !== undefined) {
      const payload = Buffer.from(JSON.stringify(record.next))
      const { online } = record.next
      record.next = undefined
      const topic = `${presenceTopic}/${id}`
      await this.#publish({ topic, payload, qos: 1, retain: true, presence: { id, online } })
    }
    record.isPublishing = false
    this.#forget(ownerName(identity), record)
    this.#end()
  }

  #tell({ identity, origin, key }: Session, event: 'connected' | 'disconnected', reason: string): void {
    const { id, role, serial, notAfterMs } = identity
    const { listener, tlsVersion, group } = origin
    const payload = {
      event,
      at: new Date(this.#now()).toISOString(),
      reason,
      clientId: key?.slice(role.length + id.length + 2),
      role,
      serial,
      expires: new Date(notAfterMs).toISOString(),
      listener,
      tlsVersion,
      group,
    }
    this.#begin()
    const topic = `${lifecycleTopic}/${id}`
    void this.#publish({ topic, payload: Buffer.from(JSON.stringify(payload)), qos: 0, retain: false }).then(
      () => this.#end(),
    )
  }

  #forget(name: string, record: Record): void {
    if (!record.isPublishing && !record.isOnline && record.sessions.size === 0) this.#records.delete(name)
  }

  #begin(): void {
    this.#underWay += 1
  }

  #end(): void {
    this.#underWay -= 1
    if (this.#underWay === 0) for (const resolve of this.#whenSettled.splice(0)) resolve()
  }
}

function parseState(payload: string | Uint8Array): PresenceState | undefined {
  try {
    const state = JSON.parse(Buffer.from(payload as string).toString()) as PresenceState | null
    return typeof state?.online === 'boolean' && typeof state.version === 'number' ? state : undefined
  } catch {
    return undefined
  }
}
