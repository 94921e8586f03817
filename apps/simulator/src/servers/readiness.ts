import { request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'

/** What a readiness endpoint says. `detail` is a clause for people. */
export type Readiness =
  | { readonly state: 'ready' }
  /** One of our servers that is still starting, or stopping. */
  | { readonly state: 'not-ready'; readonly detail: string }
  /** Nothing can be reached there. */
  | { readonly state: 'absent'; readonly detail: string }
  /** It does not answer in time: it is not there, or the machine is slow. */
  | { readonly state: 'silent'; readonly detail: string }
  /** Something answers that is not one of our servers: waiting will not help. */
  | { readonly state: 'foreign'; readonly detail: string }

const answerSchema = z.union([
  z.object({ status: z.literal('ready') }),
  z.object({ status: z.literal('not ready'), checks: z.record(z.string(), z.string()) }),
])

const longestAnswer = 64 * 1024

/**
 * Asks the `/readyz` at `url`. Never rejects: every outcome, hangs of `timeoutMs` included, is a state. Who
 * accepts and hangs up may be a server of ours that stops at this moment, so it is asked again; who does it
 * three times, as a TLS server that hears HTTP does, is none of ours.
 */
export async function askReadiness(url: string, timeoutMs = 2_000): Promise<Readiness> {
  for (let attempt = 1; attempt <= 3; attempt++) {
    const answer = await askOnce(url, timeoutMs)
    if (answer !== 'hung-up') return answer
    await delay(50)
  }
  return { state: 'foreign', detail: 'it hangs up on HTTP' }
}

function askOnce(url: string, timeoutMs: number): Promise<Readiness | 'hung-up'> {
  return new Promise((resolve) => {
    const outgoing = request(url, { agent: false, timeout: timeoutMs }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
        if (body.length <= longestAnswer) return
        resolve({ state: 'foreign', detail: 'its answer does not end' })
        outgoing.destroy()
      })
      response.on('end', () => resolve(readAnswer(response.statusCode ?? 0, body)))
      response.on('error', () =>
        resolve({ state: 'foreign', detail: 'its answer breaks off or is too long' }),
      )
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error('timeout')))
    outgoing.on('error', (error: NodeJS.ErrnoException) => resolve(readFailure(error)))
    outgoing.end()
  })
}

function readAnswer(status: number, body: string): Readiness {
  const foreign: Readiness = {
    state: 'foreign',
    detail: `it answers ${status} ${JSON.stringify(body.slice(0, 40))}`,
  }
  let value: unknown
  try {
    value = JSON.parse(body)
  } catch {
    return foreign
  }
  const answer = answerSchema.safeParse(value)
  if (!answer.success) return foreign
  if (answer.data.status === 'ready') return status === 200 ? { state: 'ready' } : foreign
  const reasons = Object.entries(answer.data.checks).map(([check, reason]) => `${check}: ${reason}`)
  // What has not started waits for what has: only the latter is worth telling.
  const telling = reasons.filter((reason) => !reason.endsWith(': not started'))
  return { state: 'not-ready', detail: (telling.length > 0 ? telling : reasons).join(', ') }
}

function readFailure(error: NodeJS.ErrnoException): Readiness | 'hung-up' {
  // llhttp's own codes: whoever answers does not speak HTTP.
  if (error.code?.startsWith('HPE_') === true) return { state: 'foreign', detail: 'it does not speak HTTP' }
  if (error.code === 'ECONNREFUSED') return { state: 'absent', detail: 'nothing listens there' }
  if (error.message === 'timeout') return { state: 'silent', detail: 'it does not answer' }
  if (error.code === 'ECONNRESET' || error.code === 'EPIPE') return 'hung-up'
  return { state: 'absent', detail: error.code ?? error.message }
}
