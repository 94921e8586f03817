import type { IncomingMessage, Server } from 'node:http'
import { bodyTimeoutMs } from './limits.ts'

/**
 * Ends a connection whose request has not arrived in time, as Node's `requestTimeout` does; that is one number for a server, and
 * some requests may take longer.
 */
export function limitBodyTime(body: IncomingMessage, server: Server, timeoutMs = bodyTimeoutMs): void {
  const { 'content-length': length = '0', 'transfer-encoding': encoding } = body.headers
  if (encoding === undefined && length === '0') return
  const timer = setTimeout(() => {
    if (body.complete || body.socket.destroyed) return
    const error = Object.assign(new Error('the body did not arrive in time'), {
      code: 'ERR_HTTP_REQUEST_TIMEOUT',
    })
    server.emit('clientError', error, body.socket)
  }, timeoutMs)
  const done = (): void => clearTimeout(timer)
  body.once('end', done).once('close', done)
}
