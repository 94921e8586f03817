import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import type { TLSSocket, TlsOptions } from 'node:tls'
import { fastify } from 'fastify'
import { addAdminRoutes, type AdminRoute, type CallerRefusal } from './admin-route.ts'
import { answerRefusals } from './refusal.ts'

/** How long requests under way may take when the listener closes, in milliseconds. */
const graceMs = 500

/** Administrative routes on the network. Made by `createAdminListener`. */
export interface AdminListener {
  /** For guards in front of it, before `listen`. */
  readonly server: Server
  /** Starts to listen and resolves to the port taken. Rejects with Node's error, which `runApp` explains. */
  readonly listen: () => Promise<number>
  /** For new connections; open ones keep what they were made with. */
  readonly setSecureContext: (tls: TlsOptions) => void
  /** Stops listening; resolves when open requests are answered. */
  readonly close: () => Promise<void>
}

/**
 * Administrative routes over HTTPS, for a port that others than this machine can reach. `tls` must demand a client
 * certificate, and `admit` decides, for each request, about whoever has shown one: the caller's id, or a
 * refusal, which is answered with status 403.
 */
export function createAdminListener(options: {
  host: string
  port: number
  tls: TlsOptions
  routes: readonly AdminRoute[]
  admit: (socket: TLSSocket) => { readonly caller: string } | CallerRefusal
}): AdminListener {
  const { host, port, tls, routes, admit } = options
  const server = fastify({
    https: { ...tls, handshakeTimeout: 10_000, headersTimeout: 10_000 },
    forceCloseConnections: 'idle',
    requestTimeout: 10_000,
    bodyLimit: 1024,
    exposeHeadRoutes: false,
  })
  answerRefusals(server)
  addAdminRoutes(server, routes, ({ raw }) => admit(raw.socket as TLSSocket))
  const sockets = new Set<Socket>()
  server.server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  return {
    server: server.server,
    listen: async () => {
      await server.listen({ port, host })
      return (server.server.address() as { port: number }).port
    },
    setSecureContext: (next) => server.server.setSecureContext(next),
    close: async () => {
      // Who has not finished a handshake or a request is on no list of Node's, and would hold up the stop.
      const cut = setTimeout(() => sockets.forEach((socket) => socket.destroy()), graceMs)
      await server.close()
      clearTimeout(cut)
    },
  }
}
