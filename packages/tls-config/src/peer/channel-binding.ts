import type { TLSSocket } from 'node:tls'
import { hasExtendedMasterSecret } from './session.ts'

/** What ties a message to the one TLS connection that it is sent over. */
export interface ChannelBinding {
  /** `tls-unique` (RFC 5929) on TLS 1.2, `tls-exporter` (RFC 9266) on TLS 1.3. */
  readonly kind: 'tls-unique' | 'tls-exporter'
  readonly value: Buffer
}

/** Why a connection has no binding that could be relied on. `detail` is a sentence for its client. */
export interface NoChannelBinding {
  readonly kind: 'none'
  readonly detail: string
}

/**
 * The channel binding of a connection whose handshake is finished, the same at both ends of it. tls-unique is the first
 * Finished message of the handshake: the client's, and the server's where a session was resumed (RFC 5929, section 3.1). A
 * resumed session must have used the extended master secret: without it somebody in the middle can make two connections
 * have the same one (RFC 7627, section 1). The server looks, for both. Throws nothing.
 */
export function channelBinding(
  socket: TLSSocket,
  side: 'server' | 'client',
): ChannelBinding | NoChannelBinding {
  const version = socket.getProtocol()
  if (version === 'TLSv1.3') {
    try {
      const value = socket.exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
      return { kind: 'tls-exporter', value }
    } catch {
      return unfinished
    }
  }
  const isResumed = socket.isSessionReused()
  const isFirstOurs = (side === 'client') !== isResumed
  const value = isFirstOurs ? socket.getFinished() : socket.getPeerFinished()
  if (version !== 'TLSv1.2' || value === undefined) return unfinished
  if (side === 'server' && isResumed && !hasExtendedMasterSecret(socket)) {
    const detail = 'the TLS session was resumed without extended master secret: connect without resuming one'
    return { kind: 'none', detail }
  }
  return { kind: 'tls-unique', value }
}

const unfinished: NoChannelBinding = { kind: 'none', detail: 'the TLS handshake is not finished' }
