import { encodeCrlUrl } from '../certificate/template.ts'
import { readAuthorityKeyId, readCrlUrls } from '../certificate/extension-facts.ts'
import { implicit, integer, readDer, rememberOids, sequence } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { encodeExtension, type Extension, extensionOids } from '../extension/index.ts'
import type { CrlExtensionFacts, IssuingDistributionPoint } from './crl.ts'
import {
  checkUrl,
  decodeIssuingDistributionPoint,
  encodeIssuingDistributionPoint,
} from './issuing-distribution-point.ts'

/** Extensions of a CRL (RFC 5280 section 5.2). */
export const crlExtensionOids = {
  authorityKeyIdentifier: extensionOids.authorityKeyIdentifier,
  cRLNumber: '2.5.29.20',
  deltaCRLIndicator: '2.5.29.27',
  issuingDistributionPoint: '2.5.29.28',
  freshestCRL: '2.5.29.46',
} as const
rememberOids(Object.values(crlExtensionOids))

/** RFC 5280, 5.2.3: at most 20 octets, the sign bit included. */
const maxNumber = 2n ** 159n - 1n

/** What the extensions of a new list shall say. */
export interface CrlExtensionOptions {
  readonly authorityKeyId: string
  readonly number: bigint
  readonly baseNumber?: bigint | undefined
  readonly issuingDistributionPoint?: IssuingDistributionPoint | undefined
  readonly freshestCrlUrl?: string | undefined
}

/**
 * Encodes `crlExtensions`, the critical ones those that RFC 5280 says: deltaCRLIndicator and
 * issuingDistributionPoint.
 *
 * @throws PkiError `crl-refused` for numbers that are out of range or order, and for a bad URL
 */
export function encodeCrlExtensions(options: CrlExtensionOptions): Buffer {
  const { authorityKeyId, number, baseNumber, issuingDistributionPoint, freshestCrlUrl } = options
  const list: Buffer[] = []
  const add = (oid: string, critical: boolean, value: Buffer) => {
    list.push(encodeExtension({ oid, critical, value }))
  }
  const keyId = implicit(0, Buffer.from(authorityKeyId, 'hex'))
  add(crlExtensionOids.authorityKeyIdentifier, false, sequence(keyId))
  add(crlExtensionOids.cRLNumber, false, integer(checkNumber('number', number)))
  if (baseNumber !== undefined) {
    // 5.2.4: a delta that is not newer than what it changes says nothing.
    if (number <= baseNumber) throw refuse('number: a delta must have a larger number than its base')
    if (freshestCrlUrl !== undefined) throw refuse('freshestCrlUrl: not allowed in a delta (section 5.2.6)')
    add(crlExtensionOids.deltaCRLIndicator, true, integer(checkNumber('baseNumber', baseNumber)))
  }
  if (issuingDistributionPoint !== undefined) {
    const value = encodeIssuingDistributionPoint(issuingDistributionPoint)
    add(crlExtensionOids.issuingDistributionPoint, true, value)
  }
  if (freshestCrlUrl !== undefined) {
    add(crlExtensionOids.freshestCRL, false, encodeCrlUrl(checkUrl(freshestCrlUrl, 'freshestCrlUrl')))
  }
  return sequence(...list)
}

/**
 * What the extensions of a list say. authorityKeyIdentifier and cRLNumber, which every list must have (5.2),
 * must be there; an unknown critical extension forbids the use of the list.
 *
 * @throws PkiError `crl-malformed`, `crl-unsupported`, `certificate-malformed` or `der-invalid`
 */
export function readCrlExtensionFacts(extensions: readonly Extension[]): CrlExtensionFacts {
  let authorityKeyId: string | undefined
  let number: bigint | undefined
  let baseNumber: bigint | undefined
  let issuingDistributionPoint: IssuingDistributionPoint | undefined
  let freshestCrlUrls: readonly string[] = []
  for (const { oid, critical, value } of extensions) {
    if (oid === crlExtensionOids.authorityKeyIdentifier) authorityKeyId = readAuthorityKeyId(value)
    else if (oid === crlExtensionOids.cRLNumber) number = decodeNumber(value, 'cRLNumber')
    else if (oid === crlExtensionOids.deltaCRLIndicator) {
      if (!critical) throw malformed('deltaCRLIndicator must be critical')
      baseNumber = decodeNumber(value, 'deltaCRLIndicator')
    } else if (oid === crlExtensionOids.issuingDistributionPoint) {
      if (!critical) throw malformed('issuingDistributionPoint must be critical')
      issuingDistributionPoint = decodeIssuingDistributionPoint(value)
    } else if (oid === crlExtensionOids.freshestCRL) freshestCrlUrls = readCrlUrls(value)
    else if (critical) throw new PkiError('crl-unsupported', `CRL: critical extension ${oid} is unknown`)
  }
  if (authorityKeyId === undefined) throw malformed('authorityKeyIdentifier has no keyIdentifier')
  if (number === undefined) throw malformed('cRLNumber is missing')
  if (baseNumber !== undefined && number <= baseNumber) {
    throw malformed('the number of a delta must be larger than that of its base')
  }
  return { extensions, authorityKeyId, number, baseNumber, issuingDistributionPoint, freshestCrlUrls }
}

/** CRLNumber ::= INTEGER (0..MAX) */
function decodeNumber(value: Buffer, what: string): bigint {
  const octets = readDer(value, what, (reader) => reader.integer(what))
  if ((octets[0] ?? 0) >= 0x80 || octets.length > 20) throw malformed(`${what} must have 1 to 159 bits`)
  return BigInt(`0x${octets.toString('hex')}`)
}

function checkNumber(field: string, number: bigint): bigint {
  if (typeof number === 'bigint' && number >= 0n && number <= maxNumber) return number
  throw refuse(`${field}: must be a bigint between 0 and 2^159 - 1`)
}

function refuse(problem: string): PkiError {
  return new PkiError('crl-refused', `CRL was not made: ${problem}`)
}

function malformed(problem: string): PkiError {
  return new PkiError('crl-malformed', `CRL: ${problem}`)
}
