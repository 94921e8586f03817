import type { PkiError } from '@fleetroot/pki'
import type { ProblemCode } from './codes.ts'
import { csrProblemKinds } from './csr-codes.ts'
import type { Refusal } from './refusal.ts'

/**
 * What a CSR that cannot be parsed, or does not prove possession of its key, is refused with. No field of it is believed:
 * the report names the key where that is the reason, and else the CSR as a whole.
 */
export function csrRefusal(error: PkiError): Refusal {
  const code = Object.hasOwn(csrProblemKinds, error.code) ? (error.code as ProblemCode) : 'csr-malformed'
  const field = code === 'csr-key-unsupported' ? 'publicKey' : 'csr'
  return {
    code,
    detail: error.message,
    csr: { fields: [{ field, decision: 'refused', reason: error.message }] },
  }
}
