import { createHash } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { RequestRefused } from '../problem/refusal.ts'
import { type Expectation, stampOf } from '../registry/expectation.ts'

/** The entity tag of an answer, of its text as it is: whoever has the same has all that there is to know. */
export function entityTag(text: string): string {
  return `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`
}

/** If-None-Match, compared weakly (RFC 9110, section 13.1.2). */
export function isKnown(header: string | undefined, tag: string): boolean {
  return header !== undefined && tagsOf(header).some((one) => [tag, '*'].includes(one.replace(/^W\//, '')))
}

/** Refuses a request whose If-Match does not name this tag, compared strongly (RFC 9110, section 13.1.1). */
export function checkMatch(header: string | undefined, tag: string): void {
  if (header === undefined || tagsOf(header).some((one) => one === tag || one === '*')) return
  const detail = `If-Match: it has changed, and is ${tag} by now; read it again, and decide anew`
  throw new RequestRefused({ code: 'precondition-failed', detail })
}

/** Refuses If-Match where it would be overlooked: who sends it must not believe that it was compared. */
export function refuseMatch(header: string | undefined): void {
  if (header === undefined) return
  const detail = 'If-Match: there is nothing here that it could be compared with; leave it out'
  throw new RequestRefused({ code: 'precondition-failed', detail })
}

/**
 * What a change with If-Match is for: the record as it was read, whose entity tag is the one that a GET shows. The registry
 * compares once more, in the transaction of the change. Undefined without If-Match, and where there is no such record, which
 * the change itself refuses (RFC 9110, section 13.2.1).
 */
export async function expectationOf(
  request: FastifyRequest,
  kind: Expectation['kind'],
  id: string,
  read: () => Promise<{ readonly record: object; readonly shown: object } | undefined>,
): Promise<{ readonly expected?: Expectation }> {
  const header = request.headers['if-match']
  if (header === undefined) return {}
  const found = await read()
  if (!found) return {}
  checkMatch(header, entityTag(JSON.stringify(found.shown)))
  return { expected: { kind, id, stamp: stampOf(found.record) } }
}

/** The refusal of the registry: somebody else was first. */
export function changedMeanwhile(): RequestRefused {
  const detail = 'If-Match: it was changed in this moment; read it again, and decide anew'
  return new RequestRefused({ code: 'precondition-failed', detail })
}

function tagsOf(header: string): string[] {
  return header.split(',').map((one) => one.trim())
}
