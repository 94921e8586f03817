import { Agent, type AgentOptions, request } from 'node:https'
import { setTimeout as delay } from 'node:timers/promises'
import { explainTlsFailure } from '@fleetroot/tls-config'
import * as z from 'zod'
import { SimulatorError } from '../error.ts'

/** Status and parsed JSON body of one answer. */
export interface RestAnswer {
  readonly status: number
  readonly body: unknown
  /** What `Retry-After` asks to wait, in milliseconds; 0 without it. */
  readonly retryAfterMs: number
}

/** JSON over keep-alive HTTPS with a client certificate. */
export interface RestClient {
  /** One request. Asks again, a few times, when the server is busy (429, 503) or hangs up (ECONNRESET). */
  call(method: string, path: string, body?: unknown): Promise<RestAnswer>
  close(): void
}

const longestAnswer = 1024 * 1024
const attempts = 6

/**
 * A client of the server at `url`. `tls` holds trust anchor, certificate and key; at most `connections` are
 * open at a time. Calls reject with SimulatorError `operator-refused` when the server cannot be reached or
 * is not trusted, with the sentence that explains it.
 */
export function createRestClient(options: {
  url: string
  tls: AgentOptions
  connections?: number
  signal?: AbortSignal
}): RestClient {
  const { url, tls, connections = 16, signal } = options
  // A resumed session skips the verification of the server.
  const agent = new Agent({ ...tls, keepAlive: true, maxSockets: connections, maxCachedSessions: 0 })

  return {
    async call(method, path, body) {
      for (let attempt = 1; ; attempt++) {
        try {
          const answer = await exchange(agent, new URL(path, url), method, body)
          const busy = answer.status === 429 || answer.status === 503
          if (!busy || attempt === attempts) return answer
          await delay(Math.max(answer.retryAfterMs, 100 * 2 ** attempt), undefined, { signal })
        } catch (error) {
          // A keep-alive connection that the server closed in this very moment; all our calls can be repeated.
          const hungUp = (error as NodeJS.ErrnoException).code === 'ECONNRESET'
          if (signal?.aborted !== true && hungUp && attempt < attempts) continue
          throw unreachable(url, error)
        }
      }
    },
    close: () => agent.destroy(),
  }
}

function exchange(agent: Agent, url: URL, method: string, body: unknown): Promise<RestAnswer> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : JSON.stringify(body)
    const headers =
      payload === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }
    const outgoing = request(url, { agent, method, headers, timeout: 30_000 }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        text += chunk
        if (text.length > longestAnswer) outgoing.destroy(new Error('the answer does not end'))
      })
      response.on('error', reject)
      response.on('end', () => {
        const retryAfter = Number(response.headers['retry-after'] ?? 0)
        resolve({
          status: response.statusCode ?? 0,
          body: parseJson(text),
          retryAfterMs: Number.isFinite(retryAfter) ? retryAfter * 1_000 : 0,
        })
      })
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer within 30 s')))
    outgoing.on('error', reject)
    outgoing.end(payload)
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function unreachable(url: string, error: unknown): SimulatorError {
  const { sentence } = explainTlsFailure(error, { side: 'client', host: new URL(url).hostname })
  return new SimulatorError('operator-refused', `${url}: ${sentence}`, { cause: error })
}

// RFC 9457, as far as it is of use to a person.
const problemSchema = z.object({
  code: z.string().optional(),
  title: z.string().optional(),
  detail: z.string().optional(),
})

/** Code and sentence of an answer that is not the one hoped for. */
export function readProblem({ status, body }: RestAnswer): { code: string; detail: string } {
  const problem = problemSchema.safeParse(body)
  const { code, title, detail } = problem.success ? problem.data : {}
  return { code: code ?? `http-${status}`, detail: detail ?? title ?? `the server answered ${status}` }
}
