import type { CertificateRef } from '../revocation/revocation-set.ts'
import type { Session } from './session.ts'

/**
 * The sessions of each certificate, from the moment the engine takes a connection until nothing of it is left, so that a
 * revocation finds exactly them, in constant time, whatever they are doing: waiting for their CONNECT, for an
 * older session to go, or for a client that does not read.
 */
export class CertificateIndex {
  /** By issuing CA, then by serial. Nearly all certificates have one session: a Set for each would cost 200 bytes. */
  readonly #issuers = new Map<string, Map<string, Session | Set<Session>>>()

  add(session: Session): void {
    const { issuerKeyId, serial } = session.identity
    let sessions = this.#issuers.get(issuerKeyId)
    if (sessions === undefined) this.#issuers.set(issuerKeyId, (sessions = new Map()))
    const known = sessions.get(serial)
    if (known === undefined) sessions.set(serial, session)
    else if (known instanceof Set) known.add(session)
    else if (known !== session) sessions.set(serial, new Set([known, session]))
  }

  delete(session: Session): void {
    const { issuerKeyId, serial } = session.identity
    const sessions = this.#issuers.get(issuerKeyId)
    const known = sessions?.get(serial)
    if (known instanceof Set) known.delete(session)
    if (known === session || (known instanceof Set && known.size === 0)) sessions?.delete(serial)
  }

  /** The sessions of one certificate; a copy, so that they may be ended on the way. */
  of({ issuerKeyId, serial }: CertificateRef): Session[] {
    const known = this.#issuers.get(issuerKeyId)?.get(serial)
    if (known === undefined) return []
    return known instanceof Set ? [...known] : [known]
  }

  /** All sessions; a copy. */
  all(): Session[] {
    return [...this.#issuers.values()].flatMap((sessions) =>
      [...sessions.values()].flatMap((known) => (known instanceof Set ? [...known] : [known])),
    )
  }
}
