import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { ConnectionOptions, TlsOptions, TLSSocket } from 'node:tls'
import { explainTlsFailure } from '../failure/explain.ts'
import type { TlsFailure } from '../failure/explain.ts'

/** What each side of one connection saw. A failure is undefined where the side was content. */
export interface Outcome<T> {
  readonly server: TlsFailure | undefined
  readonly client: TlsFailure | undefined
  /** What `look` made of the server's socket; undefined if there was no `secureConnection`. */
  readonly seen: T | undefined
  /** The client's ticket for another connection. */
  readonly session: Buffer | undefined
}

const GREETING = 'hello'

/**
 * Makes one real connection over loopback and waits until both sides are finished with it. The server greets
 * whom it lets in; a client that was not greeted was refused.
 */
export async function handshake<T = undefined>(
  serverOptions: TlsOptions,
  clientOptions: ConnectionOptions,
  look?: (socket: TLSSocket) => T,
): Promise<Outcome<T>> {
  const server = createServer(serverOptions)
  const serverSide = new Promise<{ failure?: TlsFailure; seen?: T }>((resolve) => {
    server.on('tlsClientError', (error, socket) => {
      resolve({ failure: explainTlsFailure(error, { side: 'server', socket }) })
    })
    server.on('secureConnection', (socket) => {
      const seen = look?.(socket)
      // A client that does not like the server's certificate resets; that is its outcome, not the server's.
      socket.on('error', () => {})
      socket.resume().end(GREETING)
      resolve(seen === undefined ? {} : { seen })
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  try {
    const { port } = server.address() as AddressInfo
    const client = await greetedBy(port, clientOptions)
    const { failure, seen } = await serverSide
    return { server: failure, client: client.failure, seen, session: client.session }
  } finally {
    server.close()
    await once(server, 'close')
  }
}

async function greetedBy(port: number, options: ConnectionOptions) {
  const host = options.servername ?? 'localhost'
  const socket = connect({ host: '127.0.0.1', port, servername: host, ...options })
  let greeting = ''
  let error: Error | undefined
  let session: Buffer | undefined
  socket.on('session', (ticket: Buffer) => (session = ticket))
  socket.on('data', (bytes: Buffer) => (greeting += bytes.toString()))
  socket.on('error', (reason) => (error = reason))
  await new Promise((resolve) => socket.on('close', resolve))
  const failure = greeting === GREETING ? undefined : explainTlsFailure(error, { side: 'client', host })
  return { failure, session }
}
