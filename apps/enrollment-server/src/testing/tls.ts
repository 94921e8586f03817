import { request } from 'node:https'
import type { SecureVersion, TLSSocket } from 'node:tls'
import type { Answer, Identity, Request } from './request.ts'

/** An answer, and the connection that it came over. */
export interface TlsAnswer extends Answer {
  readonly resumed: boolean
  readonly tlsVersion: string | null
  /** What another connection can resume this one's session with. */
  readonly session: Buffer | undefined
}

/** One request on a connection of its own, of this version of TLS; with `session` the connection resumes that. */
export function requestOver(
  version: SecureVersion,
  server: { readonly port: number; readonly root: string },
  path: string,
  { method = 'GET', headers = {}, body, identity, session }: Request & TlsRequest = {},
): Promise<TlsAnswer> {
  return new Promise((resolve, reject) => {
    let newest: Buffer | undefined
    const outgoing = request({
      host: 'localhost',
      port: server.port,
      path,
      method,
      headers: { ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }), ...headers },
      ca: server.root,
      agent: false,
      minVersion: version,
      maxVersion: version,
      ...(session && { session }),
      ...identity,
    })
    outgoing.on('socket', (socket) => {
      socket.on('session', (ticket: Buffer) => {
        newest = ticket
      })
    })
    outgoing.on('error', reject)
    outgoing.on('response', (incoming) => {
      const socket = incoming.socket as TLSSocket
      const [resumed, tlsVersion] = [socket.isSessionReused(), socket.getProtocol()]
      let text = ''
      incoming.setEncoding('utf8')
      incoming.on('data', (chunk: string) => {
        text += chunk
      })
      incoming.on('error', reject)
      incoming.on('end', () => {
        resolve({
          status: incoming.statusCode ?? 0,
          headers: incoming.headers,
          body: text,
          json: {},
          resumed,
          tlsVersion,
          session: newest,
        })
      })
    })
    outgoing.end(body)
  })
}

interface TlsRequest {
  readonly identity?: Identity
  readonly session?: Buffer
}
