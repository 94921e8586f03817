import { enumerated, sequence } from '../der/index.ts'

/**
 * The answers that say nothing about a certificate and are not signed (RFC 6960 section 2.3), with their numbers.
 * `unauthorized`: this responder does not answer for the CA that was asked about (RFC 5019 section 2.2.3).
 */
export const ocspErrors = [
  { name: 'malformedRequest', code: 1 },
  { name: 'internalError', code: 2 },
  { name: 'tryLater', code: 3 },
  { name: 'sigRequired', code: 5 },
  { name: 'unauthorized', code: 6 },
] as const

/** The name of an answer in {@link ocspErrors}. */
export type OcspError = (typeof ocspErrors)[number]['name']

const responses = new Map(ocspErrors.map(({ name, code }) => [name, sequence(enumerated(code))]))

/** The DER of an answer without a status: `OCSPResponse ::= SEQUENCE { responseStatus ENUMERATED }`. */
export function ocspErrorResponse(error: OcspError): Buffer {
  // Whatever a caller without types asks for, it is an error and no status.
  return Buffer.from(responses.get(error) ?? sequence(enumerated(2)))
}
