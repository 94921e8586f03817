import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

/**
 * Somebody between broker and enrollment server who has the server's TLS key and the broker's (which no attacker
 * should have, and a bug in the server need not have): passes on what both say, and adds to the event stream what he likes.
 */
export interface Forger {
  readonly url: string
  /** The events that have passed, each as it was on the wire. */
  readonly events: readonly string[]
  /** Sends the broker something as if the server had. */
  send(text: string): void
  /** From now on the broker gets this instead of what the server says at that path; undefined: no longer. */
  answer(path: string, body: Kept | undefined): void
  /** The last answer of the server at a path. */
  kept(path: string): Kept
  close(): Promise<void>
}

/** An answer of the server that was kept. */
export interface Kept {
  readonly headers: Record<string, string>
  readonly body: Buffer
}

/** Stands in front of `serverUrl`, with the keys that are in its data directory; the test closes it. */
export async function startForger(serverUrl: string, data: string): Promise<Forger> {
  const read = (...names: string[]): string => readFileSync(join(data, ...names), 'utf8')
  const trust = read('public/root.crt')
  const streams = new Set<ServerResponse>()
  const events: string[] = []
  const answers = new Map<string, Kept>()
  const kept = new Map<string, Kept>()

  function pass(incoming: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url: path = '/', headers } = incoming
    const forged = answers.get(path)
    if (forged !== undefined) return void response.writeHead(200, forged.headers).end(forged.body)
    const isStream = path.startsWith('/v1/events')
    // The broker enrolls and renews past here with its own certificate; only its stream needs it now.
    const own = isStream ? read('broker/identity/identity.pem') : undefined
    const outgoing = request(
      new URL(path, serverUrl),
      { method, headers, ca: trust, agent: false, ...(own && { cert: own, key: own }) },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers)
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => {
          response.write(chunk)
          if (isStream) events.push(...(chunk.toString().match(/^id: [^]*?\n\n/gm) ?? []))
          else chunks.push(chunk)
        })
        answer.on('end', () => {
          if (answer.statusCode === 200) {
            kept.set(path, {
              headers: answer.headers as Record<string, string>,
              body: Buffer.concat(chunks),
            })
          }
          response.end()
        })
        answer.on('error', () => response.destroy())
      },
    )
    outgoing.on('error', () => response.destroy())
    incoming.pipe(outgoing)
    if (!isStream) return undefined
    streams.add(response)
    response.once('close', () => {
      streams.delete(response)
      outgoing.destroy()
    })
    return undefined
  }

  const identity = { cert: read('enrollment-server/cert.pem'), key: read('enrollment-server/key.pem') }
  const server = createServer({ ...identity, ca: trust, requestCert: true, rejectUnauthorized: false }, pass)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    events,
    send: (text) => {
      for (const stream of streams) stream.write(text)
    },
    answer: (path, body) => {
      if (body === undefined) answers.delete(path)
      else answers.set(path, body)
    },
    kept: (path) => {
      const answer = kept.get(path)
      if (answer === undefined) throw new Error(`nothing has been asked at ${path}`)
      return answer
    },
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
