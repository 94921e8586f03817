import { randomBytes } from 'node:crypto'
import type { RevocationView } from '../revocation/revocation.ts'

/** How long the same keys are in use at the most, in milliseconds. */
export const ticketLifetimeMs = 3_600_000

/** Name, HMAC key and AES key of 16 bytes each, as Node wants them. */
export const ticketKeyBytes = 48

/** The keys of the TLS session tickets: listeners that follow the same ones resume each other's sessions. */
export class TicketKeys {
  #current: Buffer
  readonly #followers = new Set<(keys: Buffer) => void>()

  /** `keys`: 48 bytes; left out: random ones. */
  constructor(keys: Buffer = randomBytes(ticketKeyBytes)) {
    this.#current = keys
  }

  get current(): Buffer {
    return this.#current
  }

  /** Puts other keys in the place of these, in all listeners before it returns; left out: random ones. */
  use(keys: Buffer = randomBytes(ticketKeyBytes)): void {
    this.#current = keys
    for (const follower of this.#followers) follower(keys)
  }

  /** Calls `follower` with the keys of now, and with those that follow them. Returns the way to stop that. */
  follow(follower: (keys: Buffer) => void): () => void {
    follower(this.#current)
    this.#followers.add(follower)
    return () => this.#followers.delete(follower)
  }
}

/**
 * Calls `rotate` whenever a certificate is revoked or suspended, and every hour, until it is closed. A client with an
 * older ticket makes a full handshake then. Admission asks about the certificate on every connection, resumed ones too,
 * so this is not what keeps a revoked device out. It buys three things:
 *
 * - OpenSSL verifies the chain again instead of believing what a ticket says about it;
 * - a ticket proves that somebody once held the key, not that they hold it now: a stolen ticket dies with the
 *   certificate that it was made for, even should the same key be certified again;
 * - whoever gets hold of the keys in memory can read no more than an hour of TLS 1.2 sessions, which have
 *   no other secrecy once they are resumed (RFC 9325 section 4.4, RFC 5077 section 5.5).
 */
export function rotateTicketKeys(
  revocation: Pick<RevocationView, 'subscribe' | 'standingOf'>,
  rotate: () => void,
): { readonly close: () => void } {
  const timer = setInterval(rotate, ticketLifetimeMs)
  timer.unref()
  const unsubscribe = revocation.subscribe({
    onChange: (certificate) => {
      if (revocation.standingOf(certificate) !== 'good') rotate()
    },
    // A list that replaces another one may say something new about anybody.
    onReplaced: rotate,
  })
  return {
    close: () => {
      clearInterval(timer)
      unsubscribe()
    },
  }
}
