import { randomBytes } from 'node:crypto'
import type { RevocationView } from '../revocation/revocation.ts'
import type { Listener } from './listener.ts'

/** How long the same keys are in use at the most, in milliseconds. */
const lifetimeMs = 3_600_000

/** Name, HMAC key and AES key of 16 bytes each, as Node wants them. */
const keyBytes = 48

/**
 * Gives the listeners new session ticket keys whenever a certificate is revoked or suspended, and every hour.
 * A client with an older ticket makes a full handshake then. Admission asks about the certificate on every
 * connection, resumed ones too, so this is not what keeps a revoked device out. It buys three things:
 *
 * - OpenSSL verifies the chain again instead of believing what a ticket says about it;
 * - a ticket proves that somebody once held the key, not that they hold it now: a stolen ticket dies with the
 *   certificate that it was made for, even should the same key be certified again;
 * - whoever gets hold of the keys in memory can read no more than an hour of TLS 1.2 sessions, which have
 *   no other secrecy once they are resumed (RFC 9325 section 4.4, RFC 5077 section 5.5).
 */
export function rotateTicketKeys(
  listeners: readonly Pick<Listener, 'setTicketKeys'>[],
  revocation: Pick<RevocationView, 'subscribe' | 'standingOf'>,
  newKeys: () => Buffer = () => randomBytes(keyBytes),
): { readonly rotate: () => void; readonly close: () => void } {
  function rotate(): void {
    const keys = newKeys()
    for (const listener of listeners) listener.setTicketKeys(keys)
  }

  rotate()
  const timer = setInterval(rotate, lifetimeMs)
  timer.unref()
  const unsubscribe = revocation.subscribe({
    onChange: (certificate) => {
      if (revocation.standingOf(certificate) !== 'good') rotate()
    },
    // A list that replaces another one may say something new about anybody.
    onReplaced: rotate,
  })
  return {
    rotate,
    close: () => {
      clearInterval(timer)
      unsubscribe()
    },
  }
}
