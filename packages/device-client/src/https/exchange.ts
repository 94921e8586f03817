import { Agent, request as httpsRequest } from 'node:https'
import type { ClientRequest, IncomingHttpHeaders, IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'

import { DeviceClientError } from '../error.ts'
import { connectionFailure } from './failure.ts'
import { hostOf } from './url.ts'

/** One request to a server. */
export interface HttpsRequest {
  method: 'GET' | 'POST'
  path: string
  headers?: Record<string, string>
  /** A function is called with the connection that the request goes over, once its handshake is finished. */
  body?: string | ((connection: TLSSocket) => string)
  /** TLS options of this request alone; it then gets a connection of its own. */
  tls?: ConnectionOptions
}

/** A complete answer, whatever its status. */
export interface HttpsAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** A server that requests can be sent to over connections that are kept alive. */
export interface HttpsServer {
  /**
   * Throws DeviceClientError `network-failed`, `tls-failed`, `timed-out`, `response-too-large`,
   * `response-invalid`. Redirects are not followed: they are an answer like another.
   */
  send(request: HttpsRequest): Promise<HttpsAnswer>
  close(): void
}

/** Limits of an exchange. */
export interface HttpsLimits {
  /** For the whole exchange, connecting included. */
  timeoutMs: number
  maxResponseBytes: number
}

/**
 * Opens no connection yet. `tls` is asked for every request and must give what comes from `clientTlsOptions`, the
 * same object as long as nothing changed: a connection that is kept alive serves no request with other anchors.
 */
export function httpsServer(url: URL, tls: () => ConnectionOptions, limits: HttpsLimits): HttpsServer {
  let options = tls()
  let agent = keepAliveAgent(options)

  function currentAgent(): Agent {
    const now = tls()
    if (now !== options) {
      retire(agent)
      options = now
      agent = keepAliveAgent(now)
    }
    return agent
  }

  return {
    async send(request) {
      const pool = currentAgent()
      try {
        return await exchange(url, pool, request, limits)
      } catch (error) {
        // The server closed the idle connection while we were writing: nobody read the request.
        if (error instanceof StaleConnection) return exchange(url, pool, request, limits)
        throw error
      }
    },
    close: () => agent.destroy(),
  }
}

function keepAliveAgent(tls: ConnectionOptions): Agent {
  return new Agent({
    ...tls,
    keepAlive: true,
    maxSockets: 16,
    maxFreeSockets: 4,
    // A resumed session skips the verification of the server; kept-alive connections save more anyway.
    maxCachedSessions: 0,
  })
}

/** Closes what is idle now; what is under way is closed when it is done. */
function retire(agent: Agent): void {
  agent.maxFreeSockets = 0
  for (const sockets of Object.values(agent.freeSockets)) {
    for (const socket of sockets ?? []) socket.destroy()
  }
}

class StaleConnection extends DeviceClientError {}

async function exchange(
  url: URL,
  agent: Agent,
  request: HttpsRequest,
  limits: HttpsLimits,
): Promise<HttpsAnswer> {
  const { promise, resolve, reject } = Promise.withResolvers<HttpsAnswer>()
  const outgoing = httpsRequest({
    ...request.tls,
    agent: request.tls === undefined ? agent : false,
    host: hostOf(url),
    port: url.port || 443,
    method: request.method,
    path: request.path,
    headers: { ...request.headers },
  })
  const deadline = setTimeout(() => {
    const seconds = limits.timeoutMs / 1000
    outgoing.destroy(new DeviceClientError('timed-out', `no answer from ${url.host} within ${seconds} s`))
  }, limits.timeoutMs)
  outgoing.on('error', (error) => {
    const failure = connectionFailure(error, url.host)
    const stale = outgoing.reusedSocket && failure.code === 'network-failed'
    reject(stale ? new StaleConnection(failure.code, failure.message, { cause: error }) : failure)
  })
  outgoing.on('response', (incoming) => {
    readBody(incoming, url, limits.maxResponseBytes).then(
      (body) => resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body }),
      (error: unknown) => {
        reject(connectionFailure(error, url.host))
        outgoing.destroy()
      },
    )
  })
  sendBody(outgoing, request.body)
  try {
    return await promise
  } finally {
    clearTimeout(deadline)
  }
}

function sendBody(outgoing: ClientRequest, body: HttpsRequest['body']): void {
  if (typeof body !== 'function') {
    if (body !== undefined) outgoing.setHeader('content-length', Buffer.byteLength(body))
    outgoing.end(body)
    return
  }
  outgoing.on('socket', (socket: Socket) => {
    const connection = socket as TLSSocket
    const send = (): void => {
      try {
        sendBody(outgoing, body(connection))
      } catch (error) {
        outgoing.destroy(
          error instanceof DeviceClientError
            ? error
            : new DeviceClientError('option-invalid', `the request cannot be made: ${String(error)}`, {
                cause: error,
              }),
        )
      }
    }
    // A connection that was kept alive is past its handshake.
    if (outgoing.reusedSocket) send()
    else connection.once('secureConnect', send)
  })
}

async function readBody(incoming: IncomingMessage, url: URL, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > maxBytes) {
      throw new DeviceClientError(
        'response-too-large',
        `${url.host} sent more than ${maxBytes} bytes: refused`,
      )
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
