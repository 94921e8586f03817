import { once } from 'node:events'
import { isIP, type AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import type { StoredIdentity } from '@fleetroot/device-client'
import { clientTlsOptions, explainTlsFailure, serverTlsOptions, type TlsMode } from '@fleetroot/tls-config'
import { BrokerError } from '../error.ts'

/** What a certificate of the broker must be good for. */
export interface OwnHandshake {
  /** The roots, PEM: all that a client has. */
  readonly trust: readonly string[]
  readonly mode: TlsMode
}

const timeoutMs = 10_000

/**
 * Proves an identity before clients meet it: a listener of its own on loopback shows it to a client that has
 * nothing but the roots, over a real mutual TLS connection, in which the same identity stands for the
 * client as well. Chain, names, both purposes and the key are tried; the listeners in use are not touched.
 *
 * Throws `BrokerError` `identity-unusable`.
 */
export async function shakeHands(identity: StoredIdentity, { trust, mode }: OwnHandshake): Promise<void> {
  const name = identity.certificate.subjectAltNames.find(({ type }) => type === 'dns' || type === 'ip')?.value
  if (name === undefined)
    throw unusable('it is for no host name and no address, so that no client could check it')
  try {
    await greet(name, { identity, trust, mode })
  } catch (error) {
    throw unusable(explainTlsFailure(error, { side: 'client', host: name }).sentence, error)
  }
}

async function greet(
  name: string,
  { identity, trust, mode }: OwnHandshake & { identity: StoredIdentity },
): Promise<void> {
  const server = createServer(
    serverTlsOptions({ identity, trust, mode, clientCertificate: 'required' }),
    // Reached only by a client whose certificate was accepted.
    (socket) => socket.on('error', () => undefined).end('welcome'),
  )
  server.listen({ host: '127.0.0.1', port: 0 })
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const socket = connect({
    ...(isIP(name) === 0 ? { servername: name } : {}),
    ...clientTlsOptions({ trust, identity, mode, serverName: name }),
    host: '127.0.0.1',
    port,
  })
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs / 1000} s`)))
  try {
    await welcomed(socket)
  } finally {
    socket.destroy()
    server.close()
  }
}

async function welcomed(socket: TLSSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  socket.on('error', reject)
  socket.once('data', () => resolve())
  socket.once('close', () => reject(Object.assign(new Error('closed'), { code: 'ECONNRESET' })))
  await promise
}

function unusable(why: string, cause?: unknown): BrokerError {
  return new BrokerError(
    'identity-unusable',
    `the new certificate of the broker is not usable, the one in use stays: ${why}`,
    { cause },
  )
}
