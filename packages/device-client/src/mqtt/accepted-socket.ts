import type { TLSSocket } from 'node:tls'

import { connectionFailure } from '../https/failure.ts'
import { closedByPeer, goodbye, withHint } from './ending.ts'
import { type BrokerTls, openTlsSocket } from './tls-socket.ts'

/** How long a broker may take to refuse a certificate, beyond what the network needs. */
const MIN_VERDICT_MS = 200

/**
 * TLS, and then waits whether the server closes it: with TLS 1.3 a client is done before the server has looked at
 * its certificate, and a server on Node refuses it by closing without an alert. Silence proves nothing but that
 * the refusal, if there is to be one, waits for CONNECT. Throws as `openSession`.
 */
export async function openAcceptedSocket(
  url: URL,
  tls: BrokerTls,
  connectTimeoutMs: number,
  signal: AbortSignal,
): Promise<TLSSocket> {
  const startedAt = performance.now()
  const socket = await openTlsSocket(url, tls, connectTimeoutMs, signal)
  const { promise: verdict, resolve, reject } = Promise.withResolvers<void>()
  const onError = (error: Error) => reject(withHint(connectionFailure(error, url.host)))
  const onClose = () => reject(withHint(closedByPeer(url.host)))
  const onAbort = () => reject(goodbye())
  // The handshake took at least two ways there and back, the verdict needs one.
  const waitMs = Math.max(MIN_VERDICT_MS, performance.now() - startedAt)
  const timer = setTimeout(resolve, waitMs)
  socket.on('error', onError)
  socket.once('close', onClose)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    await verdict
    return socket
  } catch (error) {
    socket.on('error', () => undefined)
    socket.destroy()
    throw error
  } finally {
    clearTimeout(timer)
    socket.off('error', onError)
    socket.off('close', onClose)
    signal.removeEventListener('abort', onAbort)
  }
}
