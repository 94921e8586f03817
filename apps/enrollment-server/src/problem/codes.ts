import { authorityProblemKinds } from './authority-codes.ts'
import { bootstrapProblemKinds } from './bootstrap-codes.ts'
import { credentialProblemKinds } from './credential-codes.ts'
import { csrProblemKinds } from './csr-codes.ts'
import { deviceProblemKinds } from './device-codes.ts'
import { issuanceProblemKinds } from './issuance-codes.ts'
import { requestProblemKinds } from './request-codes.ts'
import type { ProblemKind } from './kind.ts'

/**
 * The one vocabulary of refusals: the `code` of every REST problem, the first word of every EST reason, the
 * `code` of every log line. A code is never renamed and never changes its status. docs/enrollment.md lists
 * exactly these; a test compares.
 */
export const problemKinds = {
  ...credentialProblemKinds,
  ...deviceProblemKinds,
  ...bootstrapProblemKinds,
  ...issuanceProblemKinds,
  ...csrProblemKinds,
  ...authorityProblemKinds,
  ...requestProblemKinds,
} as const satisfies Record<string, ProblemKind>

/** The code of a refusal. */
export type ProblemCode = keyof typeof problemKinds
