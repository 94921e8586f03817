import type { AdminAnswer } from '@fleetroot/service'
import type { z } from 'zod'

/** Why an administrative request is refused. */
export type AdminProblemCode =
  | 'invalid-request'
  | 'session-not-found'
  | 'policy-invalid'
  | 'not-serving'
  | 'worker-silent'

/** An answer that says no, with a code for programs and a sentence for people. */
export function problem(status: number, code: AdminProblemCode, detail: string): AdminAnswer {
  return { status, body: { code, detail } }
}

/** Names every field that is wrong. */
export function invalidRequest(error: z.ZodError): AdminAnswer {
  const details = error.issues.map(({ path, message }) => `${path.join('.') || 'the request'}: ${message}`)
  return problem(400, 'invalid-request', details.join('; '))
}
