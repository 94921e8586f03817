import {
  boolean,
  contextConstructed,
  contextPrimitive,
  type DerReader,
  explicit,
  implicit,
  readDer,
  sequence,
} from '../der/index.ts'
import { PkiError } from '../error.ts'
import type { IssuingDistributionPoint } from './crl.ts'

const what = 'issuingDistributionPoint'

/** The context tags of the two flags that are supported. */
const onlyContainsTags = { user: 1, ca: 2 } as const

/**
 * Encodes the value of an issuingDistributionPoint extension (RFC 5280 section 5.2.5):
 *
 *     IssuingDistributionPoint ::= SEQUENCE {
 *         distributionPoint          [0] DistributionPointName OPTIONAL,
 *         onlyContainsUserCerts      [1] BOOLEAN DEFAULT FALSE,
 *         onlyContainsCACerts        [2] BOOLEAN DEFAULT FALSE,
 *         onlySomeReasons            [3] ReasonFlags OPTIONAL,
 *         indirectCRL                [4] BOOLEAN DEFAULT FALSE,
 *         onlyContainsAttributeCerts [5] BOOLEAN DEFAULT FALSE }
 *
 * @throws PkiError `crl-refused` when it says nothing, which the section forbids, or for a URL that is none
 */
export function encodeIssuingDistributionPoint(point: IssuingDistributionPoint): Buffer {
  const { urls = [], onlyContains } = point
  const fields: Buffer[] = []
  if (urls.length > 0) {
    const names = urls.map((url) => implicit(6, Buffer.from(checkUrl(url, what), 'latin1')))
    fields.push(explicit(0, explicit(0, ...names)))
  }
  if (onlyContains !== undefined) {
    fields.push(implicit(onlyContainsTags[onlyContains], boolean(true).subarray(2)))
  }
  if (fields.length === 0) throw new PkiError('crl-refused', `${what}: must name urls or onlyContains`)
  return sequence(...fields)
}

/** RFC 5280, 4.2.1.13 and 5.2.6: relying parties fetch these in the clear; what is signed needs no TLS. */
export function checkUrl(url: string, field: string): string {
  if (/^https?:\/\/[!-~]+$/.test(url)) return url
  throw new PkiError('crl-refused', `${field}: ${JSON.stringify(url)} must be an http URL in ASCII`)
}

/**
 * Decodes the value of an issuingDistributionPoint extension.
 *
 * @throws PkiError `crl-unsupported` for a list that is about less than it seems to be (some reasons, other
 * CAs' certificates, attribute certificates); `crl-malformed` or `der-invalid`
 */
export function decodeIssuingDistributionPoint(der: Uint8Array): IssuingDistributionPoint {
  return readDer(der, what, (reader) => {
    const fields = reader.sequence(what)
    const name = fields.optionalExplicit(0, 'distributionPoint')
    const urls = name === undefined ? [] : readFullName(name)
    const isUser = readFlag(fields, onlyContainsTags.user)
    const isCa = readFlag(fields, onlyContainsTags.ca)
    if (!fields.done) {
      throw new PkiError(
        'crl-unsupported',
        `${what}: lists by reason, indirect lists and lists of attribute certificates are not supported`,
      )
    }
    if (isUser && isCa) throw malformed('must not be for end entities only and for CAs only')
    if (urls.length === 0 && !isUser && !isCa) throw malformed('must not be empty')
    return {
      ...(urls.length === 0 ? {} : { urls }),
      ...(isUser ? { onlyContains: 'user' } : isCa ? { onlyContains: 'ca' } : {}),
    }
  })
}

/** DistributionPointName ::= CHOICE { fullName [0] GeneralNames, … }, of which only URLs are read. */
function readFullName(name: DerReader): string[] {
  if (name.peek() !== contextConstructed(0)) {
    throw new PkiError('crl-unsupported', `${what}: the name must be a fullName with URLs`)
  }
  const names = name.constructed(contextConstructed(0), 'fullName')
  name.end('distributionPoint')
  const urls: string[] = []
  do {
    if (names.peek() !== contextPrimitive(6)) {
      throw new PkiError('crl-unsupported', `${what}: the name must be a fullName with URLs`)
    }
    const url = names.primitive(contextPrimitive(6), 'fullName').toString('latin1')
    if (!/^[!-~]+$/.test(url)) throw malformed('a URL must be in ASCII')
    urls.push(url)
  } while (!names.done)
  return urls
}

/** `[n] IMPLICIT BOOLEAN DEFAULT FALSE`. */
function readFlag(fields: DerReader, n: number): boolean {
  if (fields.peek() !== contextPrimitive(n)) return false
  const content = fields.primitive(contextPrimitive(n), what)
  if (content.length === 1 && content[0] === 0xff) return true
  throw malformed('a flag must be TRUE or left out')
}

function malformed(problem: string): PkiError {
  return new PkiError('crl-malformed', `${what}: ${problem}`)
}
