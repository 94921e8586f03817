import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import type { Origin } from '../enrollment/request.ts'
import { type AuthorizationAnswer, mostAnswerBytes, readAnswer } from './answer.ts'
import type { AuthorizationQuestion } from './question.ts'
import { signedHeaders } from './signature.ts'

/** For everything: waiting for a connection, connecting, asking, and the last octet of the answer. */
const limitMs = 2000
/** At the same time; more wait, within the limit. */
const maxConnections = 32
/** That wait or are under way. Beyond that a service that is slow would cost memory. */
const maxWaiting = 1024

/** Asks a question of the authorization service. Never rejects: what goes wrong is `unusable`. */
export interface AuthorizationService {
  ask(question: AuthorizationQuestion, origin: Origin): Promise<AuthorizationAnswer>
  close(): void
}

/**
 * The service at an https URL, asked with a signed POST. TLS is verified, against `trust` alone where it is given; redirects
 * are not followed; two seconds are all that it has.
 */
export function createWebhook(options: {
  readonly url: string
  readonly secrets: readonly Buffer[]
  /** PEM; left out: what Node trusts. */
  readonly trust?: string
  readonly now: () => Date
}): AuthorizationService {
  const { url, secrets, trust, now } = options
  const agent = new Agent({
    keepAlive: true,
    maxSockets: maxConnections,
    maxFreeSockets: 4,
    minVersion: 'TLSv1.2',
    // A resumed session would skip the verification of the server.
    maxCachedSessions: 0,
    ...(trust !== undefined && { ca: trust }),
  })
  let waiting = 0

  async function post(
    body: string,
    headers: Record<string, string>,
    limit: AbortSignal,
  ): Promise<AuthorizationAnswer> {
    const outgoing = request(url, { method: 'POST', agent, signal: limit, headers })
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    outgoing.once('response', resolve).on('error', (error) => {
      reject(
        outgoing.reusedSocket && !limit.aborted
          ? new StaleConnection('closed while idle', { cause: error })
          : error,
      )
    })
    outgoing.end(body)
    const response = await promise
    const chunks: Buffer[] = []
    let size = 0
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) {
        size += chunk.length
        if (size > mostAnswerBytes)
          return { verdict: 'unusable', why: `the answer is over ${mostAnswerBytes} octets` }
        chunks.push(chunk)
      }
    } finally {
      if (!response.complete) outgoing.destroy()
    }
    return readAnswer(response.statusCode ?? 0, Buffer.concat(chunks).toString('utf8'))
  }

  return {
    ask: async (question, { protocol, address }) => {
      if (waiting >= maxWaiting) return { verdict: 'unusable', why: `${maxWaiting} questions are waiting` }
      const at = now()
      const data = { ...question, protocol, ...(address !== undefined && { address }) }
      const body = JSON.stringify({ type: 'enrollment.authorize', timestamp: at.toISOString(), data })
      const headers = {
        'content-type': 'application/json',
        'content-length': String(Buffer.byteLength(body)),
        accept: 'application/json',
        ...signedHeaders(secrets, { id: `msg_${randomUUID()}`, atMs: at.getTime(), body }),
      }
      const limit = AbortSignal.timeout(limitMs)
      waiting += 1
      try {
        return await post(body, headers, limit).catch((error: unknown) => {
          // The service closed a connection that was idle while we wrote: nobody read the question.
          if (error instanceof StaleConnection) return post(body, headers, limit)
          throw error
        })
      } catch (error) {
        const why = limit.aborted ? `no answer within ${limitMs / 1000} s` : (error as Error).message
        return { verdict: 'unusable', why }
      } finally {
        waiting -= 1
      }
    },
    close: () => agent.destroy(),
  }
}

class StaleConnection extends Error {}
