import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { problemKinds } from './codes.ts'
import { csrProblemKinds } from './csr-codes.ts'
import { enrollmentCodes } from './enrollment-codes.ts'

const source = join(import.meta.dirname, '..')

/** Where a request with a token and a CSR is decided upon. */
const deciding = [
  'admission/*.ts',
  'authorization/*.ts',
  'enrollment/*.ts',
  'registry/certificate-table.ts',
  'registry/claim-table.ts',
  'token/authorization.ts',
  'http/attempts.ts',
  'est/body.ts',
]

/** Codes that these files have for requests of other kinds: with a certificate, or with a label. */
const ofOthers = [
  'claim-exists',
  'key-encryption-unsupported',
  'profile-mismatch',
  'rate-limited',
  'renewals-limited',
  'subject-mismatch',
]

it('the codes of enrollment are those that its source can answer with', () => {
  const files = globSync(deciding, { cwd: source }).filter((file) => !file.endsWith('.test.ts'))
  expect(files.length).toBeGreaterThan(deciding.length)
  const literals = files.flatMap((file) =>
    [...readFileSync(join(source, file), 'utf8').matchAll(/'([a-z]+(?:-[a-z]+)+)'/g)].map(
      ([, word]) => word!,
    ),
  )
  const spelled = literals.filter((word) => Object.hasOwn(problemKinds, word) && !ofOthers.includes(word))
  const byName = (codes: Iterable<string>): string[] => [...new Set(codes)].toSorted()
  // What the schema of the body and the parser and check of CSRs say is not spelled there.
  expect(byName(enrollmentCodes)).toEqual(
    byName([...spelled, 'field-invalid', ...Object.keys(csrProblemKinds)]),
  )
})
