import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Requests of one connection that may wait for their answers at the same time; each costs memory until it is read. */
export const mostUnanswered = 100

/**
 * Returns a listener that ends a connection on which more requests wait for their answers: HTTP/1.1 lets a client send the next one
 * before it has read the last answer (RFC 9112, section 9.3.2), and one that never reads would have any number of them kept.
 * @param onExcess told of each connection that is ended
 */
export function limitPipelining(
  listener: RequestListener,
  onExcess: (socket: Socket) => void,
): RequestListener {
  const unanswered = new WeakMap<Socket, number>()
  return (request: IncomingMessage, response: ServerResponse) => {
    const { socket } = request
    // What came in the same piece as the one too many.
    if (socket.destroyed) return
    const waiting = (unanswered.get(socket) ?? 0) + 1
    if (waiting > mostUnanswered) {
      onExcess(socket)
      return void socket.destroy()
    }
    unanswered.set(socket, waiting)
    response.once('close', () => unanswered.set(socket, (unanswered.get(socket) ?? 1) - 1))
    return listener(request, response)
  }
}
