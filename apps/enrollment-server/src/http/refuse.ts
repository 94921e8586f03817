import { randomUUID } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { problemKinds } from '../problem/codes.ts'
import type { Refusal } from '../problem/refusal.ts'

/** True for paths of EST, the strongSwan alias `/label/.well-known/est/…` included. */
export function isEstPath(url: string): boolean {
  return /^(?:\/[^/?]*)?\/\.well-known\/est(?:[/?]|$)/.test(url)
}

/**
 * Answers with a refusal in the format of the protocol: a line of text in EST (RFC 7030, section 4.2.3: the
 * server MAY give a reason in text/plain), a problem of RFC 9457 everywhere else.
 */
export function sendRefusal(request: FastifyRequest, reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { status, title } = problemKinds[refusal.code]
  const isEst = isEstPath(request.url)
  // RFC 9110, section 11.6.1. libest sends its credential only after this answer.
  if (status === 401)
    reply.header('www-authenticate', isEst ? 'Basic realm="est"' : 'Bearer realm="fleetroot"')
  if (refusal.retryAfterSeconds !== undefined) reply.header('retry-after', String(refusal.retryAfterSeconds))
  reply.code(status).header('cache-control', 'no-store')
  if (isEst)
    return reply.type('text/plain; charset=utf-8').send(`${refusal.code}: ${oneLine(refusal.detail)}\n`)
  const body = {
    type: `urn:fleetroot:problem:${refusal.code}`,
    title,
    status,
    detail: refusal.detail,
    code: refusal.code,
    ...(refusal.csr && { csr: refusal.csr }),
    // Only our own mistakes need to be found again in the log.
    ...(refusal.code === 'internal' && { instance: `urn:uuid:${occurrence(request)}` }),
  }
  return reply.type('application/problem+json').send(JSON.stringify(body))
}

// What would end the line, or steer the terminal of whoever reads it.
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g

function oneLine(text: string): string {
  return text.replace(controls, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

const occurrences = new WeakMap<FastifyRequest, string>()

/** An id for a failure that the answer and the log share. */
export function occurrence(request: FastifyRequest): string {
  const id = occurrences.get(request) ?? randomUUID()
  occurrences.set(request, id)
  return id
}
