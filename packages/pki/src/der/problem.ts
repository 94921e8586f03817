import { PkiError } from '../error.ts'

/** A breach of DER: which field, what is wrong with it, and where in the input. */
export function derProblem(what: string, problem: string, offset: number): PkiError {
  return new PkiError('der-invalid', `${what}: ${problem} (at byte ${offset})`)
}
