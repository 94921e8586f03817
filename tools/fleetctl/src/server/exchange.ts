import { Agent, type AgentOptions, request } from 'node:https'

/** Status, headers and body of an answer. */
export interface Exchanged {
  readonly status: number
  readonly body: string
  /** What `Retry-After` asks to wait, in milliseconds; 0 without it. */
  readonly retryAfterMs: number
}

/** One request. */
export interface Request {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  readonly body?: unknown
  /** Makes something: however often it is sent because no answer came, it is done once. */
  readonly once?: true
}

/** A connection that stood, and an answer that did not come as it should. The message is a sentence. */
export class AnswerTrouble extends Error {}

/** A page of a thousand certificates is 2 MB; more than this is no answer of ours. */
const longestAnswer = 16 * 1024 * 1024
const patienceMs = 30_000

/** Keeps connections to one server. `tls` comes from `clientTlsOptions`. */
export function createAgent(tls: AgentOptions): Agent {
  return new Agent({ ...tls, keepAlive: true, maxSockets: 8, maxCachedSessions: 0 })
}

/** Sends one request and reads the answer as a whole. Rejects with the error of the socket. */
export function exchange(
  agent: Agent,
  base: URL,
  asked: Request & { readonly idempotencyKey?: string },
  signal: AbortSignal,
): Promise<Exchanged> {
  const { promise, resolve, reject } = Promise.withResolvers<Exchanged>()
  const { idempotencyKey } = asked
  const payload = asked.body === undefined ? undefined : JSON.stringify(asked.body)
  const headers = {
    accept: 'application/json',
    ...(payload !== undefined && {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(payload),
    }),
    ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
  }
  const outgoing = request(
    new URL(asked.path, base),
    { agent, method: asked.method, headers, signal },
    (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        body += chunk
        if (body.length > longestAnswer) outgoing.destroy(new AnswerTrouble('the answer does not end'))
      })
      answer.on('error', reject)
      answer.on('end', () => {
        const seconds = Number(answer.headers['retry-after'] ?? 0)
        const retryAfterMs = Number.isFinite(seconds) && seconds > 0 ? seconds * 1_000 : 0
        resolve({ status: answer.statusCode ?? 0, body, retryAfterMs })
      })
    },
  )
  outgoing.setTimeout(patienceMs, () =>
    outgoing.destroy(new AnswerTrouble(`no answer within ${patienceMs / 1000} s`)),
  )
  outgoing.on('error', reject)
  outgoing.end(payload)
  return promise
}
