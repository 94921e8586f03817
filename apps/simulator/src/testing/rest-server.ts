import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { serverTlsOptions } from '@fleetroot/tls-config'
import type { Authority } from './authority.ts'

/** A real HTTPS server that wants a client certificate, and answers what the test says. */
export interface RestServer {
  readonly url: string
  /** `METHOD path` of every request. */
  readonly requests: string[]
  /** TCP connections so far. */
  readonly connections: number
  close(): void
}

/** Starts it on a free port. */
export async function startRestServer(
  authority: Authority,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<RestServer> {
  const identity = await authority.issue('enrollment-server', 'service')
  const requests: string[] = []
  let connections = 0
  const tls = serverTlsOptions({
    identity,
    trust: authority.trust,
    mode: 'compatible',
    clientCertificate: 'required',
  })
  const server = createServer(tls, (request, response) => {
    requests.push(`${request.method} ${request.url}`)
    request.resume()
    request.on('end', () => answer(request, response))
  })
  server.on('secureConnection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    get connections() {
      return connections
    },
    close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Answers JSON. */
export function json(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body))
}
