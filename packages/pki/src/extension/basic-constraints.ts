import { boolean, integer, readDerInPlace, sequence } from '../der/index.ts'

/** Whether the subject is a CA, and how many CAs may stand below it (RFC 5280 section 4.2.1.9). */
export interface BasicConstraints {
  readonly ca: boolean
  readonly pathLength: number | undefined
}

/**
 * Encodes the value of a basicConstraints extension:
 *
 *     BasicConstraints ::= SEQUENCE { cA BOOLEAN DEFAULT FALSE, pathLenConstraint INTEGER (0..MAX) OPTIONAL }
 */
export function encodeBasicConstraints({
  ca,
  pathLength,
}: {
  ca: boolean
  pathLength?: number | undefined
}): Buffer {
  return sequence(...(ca ? [boolean(true)] : []), ...(pathLength === undefined ? [] : [integer(pathLength)]))
}

/** Decodes the value of a basicConstraints extension. Throws PkiError `der-invalid`. */
export function decodeBasicConstraints(der: Uint8Array): BasicConstraints {
  const what = 'basicConstraints'
  return readDerInPlace(der, what, (reader) => {
    const constraints = reader.sequence(what)
    const ca = constraints.optionalBoolean(`${what}: cA`)
    const pathLength = constraints.done ? undefined : constraints.smallInteger(`${what}: pathLenConstraint`)
    constraints.end(what)
    return { ca, pathLength }
  })
}
