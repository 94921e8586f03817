import { Agent, request } from 'node:https'
import type { IncomingHttpHeaders } from 'node:http'

/** A key and its certificate, PEM. */
export interface Identity {
  readonly key: string
  readonly cert: string
}

/** What a test asks. `json` sets body and content type. */
export interface Request {
  readonly method?: string
  readonly headers?: Record<string, string>
  readonly body?: string | Buffer
  readonly json?: unknown
  readonly identity?: Identity
}

/** What came back. `json` is the parsed body, empty for other bodies. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
  readonly json: Record<string, unknown>
}

/** Real HTTPS to a server on loopback, verified with its root, over connections that are kept alive. */
export function createRequester(
  port: number,
  root: string,
): { request(path: string, options?: Request): Promise<Answer>; close(): void } {
  const agents = new Map<string, Agent>()
  const agentOf = (identity?: Identity): Agent => {
    const name = identity?.cert ?? ''
    const agent = agents.get(name) ?? new Agent({ keepAlive: true, ca: root, ...identity })
    agents.set(name, agent)
    return agent
  }
  return {
    request: (path, { method = 'GET', headers = {}, body, json, identity } = {}) =>
      new Promise((resolve, reject) => {
        const sent = json === undefined ? body : JSON.stringify(json)
        const outgoing = request(
          {
            host: 'localhost',
            port,
            path,
            method,
            agent: agentOf(identity),
            headers: {
              ...(json !== undefined && { 'content-type': 'application/json' }),
              ...(sent !== undefined &&
                !('transfer-encoding' in headers) && { 'content-length': Buffer.byteLength(sent) }),
              ...headers,
            },
          },
          (incoming) => {
            const chunks: Buffer[] = []
            incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
            incoming.on('error', reject)
            incoming.on('end', () => {
              const text = Buffer.concat(chunks).toString()
              const isJson = /\bjson\b/.test(incoming.headers['content-type'] ?? '')
              resolve({
                status: incoming.statusCode ?? 0,
                headers: incoming.headers,
                body: text,
                json: isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : {},
              })
            })
          },
        )
        outgoing.on('error', reject)
        outgoing.end(sent)
      }),
    close: () => {
      for (const agent of agents.values()) agent.destroy()
      agents.clear()
    },
  }
}
