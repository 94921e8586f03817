import type { PkiError } from '@fleetroot/pki'
import type { ProblemCode } from './codes.ts'
import { csrProblemKinds } from './csr-codes.ts'
import type { Refusal } from './refusal.ts'

/** What a CSR that cannot be parsed, or does not prove possession of its key, is refused with. */
export function csrRefusal(error: PkiError): Refusal {
  const code = Object.hasOwn(csrProblemKinds, error.code) ? (error.code as ProblemCode) : 'csr-malformed'
  return { code, detail: error.message }
}
