import type { TLSSocket } from 'node:tls'
import { explainTlsFailure } from '@fleetroot/tls-config'
import type { Identity } from '../admission/identity.ts'
import { identityRefusals } from '../guard/identity-guard.ts'
import type { Origin } from '../engine/session.ts'
import { count } from '../metrics/counts.ts'
import type { ListenerOptions } from './listener.ts'

/** A connection that is proven. */
export interface Received {
  readonly identity: Identity
  readonly origin: Origin
}

/**
 * Receives a TLS connection whose handshake is done, for either listener: returns who it is, or destroys the
 * socket, counts and logs the reason. Every connection passes here, resumed sessions too, for which OpenSSL
 * has verified nothing.
 */
export function receive(
  socket: TLSSocket,
  origin: Origin,
  { admit, identityGuard, counts, log }: ListenerOptions,
): Received | undefined {
  // Small packets and nothing else: without this, Nagle and delayed acknowledgements add 40 ms (RFC 896, 1122).
  socket.setNoDelay(true)
  const verdict = admit(socket)
  if (!verdict.admitted) {
    count(counts.refused, verdict.code)
    log.warn({ ...origin, reason: verdict.code, detail: verdict.detail }, 'connection refused')
    socket.destroy()
    return undefined
  }
  const { identity, peer } = verdict
  const refusal = identityGuard.enter(identity)
  if (refusal !== undefined) {
    count(counts.refused, refusal)
    const { id: deviceId, role, serial } = identity
    const detail = identityRefusals[refusal]
    log.warn({ ...origin, deviceId, role, serial, reason: refusal, detail }, 'connection refused')
    socket.destroy()
    return undefined
  }
  socket.once('close', () => identityGuard.leave(identity))
  const { tlsVersion, group = 'unknown', resumed } = peer
  count(counts.tls, `${tlsVersion} ${group} ${resumed ? 'resumed' : 'full'}`)
  log.info(
    {
      ...origin,
      deviceId: identity.id,
      role: identity.role,
      serial: identity.serial,
      tlsVersion,
      group,
      resumed,
    },
    'certificate admitted',
  )
  return { identity, origin: { ...origin, tlsVersion, group } }
}

/** Counts and logs a handshake that failed: no certificate, an unknown CA, plain text on the TLS port, silence. */
export function reportHandshakeFailure(
  error: Error,
  socket: TLSSocket,
  origin: Origin,
  { counts, log }: Pick<ListenerOptions, 'counts' | 'log'>,
): void {
  const { code, sentence } = explainTlsFailure(error, { side: 'server', socket })
  count(counts.refused, code)
  log.info({ ...origin, reason: code, detail: sentence }, 'handshake failed')
}
