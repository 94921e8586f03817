import type { IncomingMessage } from 'node:http'

/** As much as is read of a body that is too large, and for as long, so that its sender hears the answer. */
const mostBytes = 1024 * 1024
const mostMs = 2000

/**
 * Reads on and throws away. A server that answers and closes while a client is still sending resets the connection, and
 * the client sees a broken pipe instead of the answer (RFC 9112, section 9.6). Resolves when the body is over, or has gone on
 * for too long: true if it is over.
 */
export function drainBody(body: IncomingMessage): Promise<boolean> {
  if (body.complete || body.destroyed) return Promise.resolve(true)
  return new Promise((resolve) => {
    let read = 0
    const finish = (isOver: boolean): void => {
      clearTimeout(timer)
      body.off('data', count).off('end', over).off('close', over).off('error', over)
      resolve(isOver)
    }
    const over = (): void => finish(true)
    const count = (chunk: Buffer): void => {
      read += chunk.length
      if (read > mostBytes) finish(false)
    }
    const timer = setTimeout(() => finish(false), mostMs)
    body.on('data', count).once('end', over).once('close', over).once('error', over)
    body.resume()
  })
}
