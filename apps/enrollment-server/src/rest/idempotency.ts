import { createHash } from 'node:crypto'
import { type AuditValue, canonicalJson } from '@fleetroot/service'
import type { FastifyRequest } from 'fastify'
import { RequestRefused } from '../problem/refusal.ts'
import type { Registry } from '../registry/registry.ts'
import type { OnceOutcome, RequestName } from '../registry/request-table.ts'
import { actorOf } from './actor.ts'

// A string of RFC 9651 in its quotes, as the draft asks, or bare, as most clients send it.
const grammar = /^(?:"([\x21\x23-\x5b\x5d-\x7e]{1,255})"|([\x21\x23-\x5b\x5d-\x7e]{1,255}))$/

/**
 * What names a request with an `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header); undefined without one. A key is good for
 * one caller and one method and path; `asked` is what the request asks for, as it was understood.
 */
export function requestName(request: FastifyRequest, asked: AuditValue): RequestName | undefined {
  const header = request.headers['idempotency-key']
  if (header === undefined) return undefined
  const [, quoted, key = quoted] = grammar.exec(String(header)) ?? []
  if (key === undefined) {
    const detail = 'Idempotency-Key: must be 1 to 255 printable characters without blanks, such as a UUID'
    throw new RequestRefused({ code: 'field-invalid', detail })
  }
  const { kind, id } = actorOf(request)
  // As it was understood: a path can be written in several ways.
  const path = [request.routeOptions.url ?? '', request.params as Record<string, string>]
  return { key: sha256([kind, id, request.method, path, key]), request: sha256(asked) }
}

/**
 * Answers a request whose work is not one transaction as often as it is asked with one `Idempotency-Key`, and works once. Without a
 * key it just works. `work` gets the moment since which it may have been done already: a kill came between the work and its
 * answer, or between the work and its beginning, and it has to look. What it refuses is not remembered.
 */
export type Once = <Answer>(
  asking: { readonly request: FastifyRequest; readonly asked: AuditValue; readonly atMs: number },
  work: (unfinishedSinceMs?: number) => Promise<Answer>,
) => Promise<Answer>

/** Opens {@link Once}. Of two requests at once with one key the second waits for the answer of the first. */
export function createOnce(registry: Pick<Registry, 'beginOnce' | 'finishOnce' | 'forgetOnce'>): Once {
  const underWay = new Map<string, Promise<unknown>>()

  async function ask<Answer>(
    name: RequestName & { atMs: number },
    work: (unfinishedSinceMs?: number) => Promise<Answer>,
  ): Promise<Answer> {
    const { key } = name
    const outcome = await registry.beginOnce(name)
    if (outcome === 'other' || (typeof outcome === 'object' && 'repeated' in outcome)) {
      return JSON.parse(answeredBefore(outcome) ?? '') as Answer
    }
    try {
      const answer = await work(outcome === 'begun' ? undefined : outcome.unfinishedSinceMs)
      await registry.finishOnce({ key, answer: JSON.stringify(answer) })
      return answer
    } catch (error) {
      // What another process is at is not this one's to forget.
      if (error instanceof RequestRefused && outcome === 'begun') await registry.forgetOnce(key)
      throw error
    }
  }

  return async ({ request, asked, atMs }, work) => {
    const name = requestName(request, asked)
    if (!name) return work()
    const before = underWay.get(name.key) ?? Promise.resolve()
    const mine = before.then(() => ask({ ...name, atMs }, work))
    const settled = mine.catch(() => undefined)
    underWay.set(name.key, settled)
    try {
      return await mine
    } finally {
      if (underWay.get(name.key) === settled) underWay.delete(name.key)
    }
  }
}

/** The answer that was given before; undefined when this request was the first, or is refused as it would be without a key. */
export function answeredBefore(outcome: OnceOutcome): string | undefined {
  if (outcome === 'made' || outcome === 'refused') return undefined
  if (outcome === 'other') {
    const detail = 'Idempotency-Key: it was used for another request; take a new key for every new request'
    throw new RequestRefused({ code: 'idempotency-key-reused', detail })
  }
  if (outcome.repeated !== undefined) return outcome.repeated
  const detail =
    'Idempotency-Key: the first answer had a secret, which is not kept; make another with a new key'
  throw new RequestRefused({ code: 'idempotent-answer-secret', detail })
}

function sha256(value: AuditValue): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}
