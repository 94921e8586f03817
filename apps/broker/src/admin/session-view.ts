import type { Session } from '../engine/session.ts'

/** A session as operators see it. */
export interface SessionView {
  /** Grows from session to session. */
  readonly number: number
  readonly role: string
  readonly id: string
  /** Undefined before the CONNECT was admitted. */
  readonly clientId: string | undefined
  /** `connected`, or `connecting`: its CONNECT has not come, or an older session has to go first. */
  readonly state: 'connected' | 'connecting'
  /** Does it outlive its connection? */
  readonly isStored: boolean
  readonly since: string
  readonly listener: string
  readonly address: string
  readonly tlsVersion: string | undefined
  readonly group: string | undefined
  readonly serial: string
  readonly issuer: string
  /** When its certificate ends, and the session with it. */
  readonly expires: string
  /** Topic filters granted. */
  readonly filters: readonly string[] | number
  readonly denials: number
  /** Bytes that the client has not taken yet. */
  readonly unsentBytes: number
}

/** A session as operators see it; `isWhole`: with its filters and not only their number. */
export function viewSession(session: Session, number: number, isWhole: boolean): SessionView {
  const { identity, origin, state, key, filters = new Set() } = session
  const { role, id, serial, issuer, notAfterMs } = identity
  return {
    number,
    role,
    id,
    clientId: key?.slice(role.length + id.length + 2),
    state: state === 'registered' ? 'connected' : 'connecting',
    isStored: session.stored !== undefined,
    since: new Date(session.sinceMs).toISOString(),
    listener: origin.listener,
    address: origin.address,
    tlsVersion: origin.tlsVersion,
    group: origin.group,
    serial,
    issuer,
    expires: new Date(notAfterMs).toISOString(),
    filters: isWhole ? [...filters] : filters.size,
    denials: session.denials,
    unsentBytes: session.stream.writableLength,
  }
}
