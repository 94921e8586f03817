import { type Certificate, parseCertificate } from '../certificate/index.ts'
import { contextConstructed, type DerReader, readDer } from '../der/index.ts'
import { PkiError, recode } from '../error.ts'
import { readExtensions } from '../extension/index.ts'
import { readSignatureAlgorithm, type SignatureAlgorithm } from '../key/index.ts'
import { readName } from '../name/index.ts'
import { type CertId, readCertId, responderKeyHash } from './cert-id.ts'
import { type OcspError, ocspErrors } from './error-response.ts'
import { readNonce, refuseCriticals } from './nonce.ts'
import { ocspOids } from './oid.ts'
import { maxOcspRequestCertificates } from './request.ts'
import { type OcspStatus, readStatus } from './status.ts'

/** 32 answers and a responder certificate with an RSA-4096 key have 12 KiB. */
export const maxOcspResponseBytes = 64 * 1024

/** A delegated responder is one certificate; some responders add the CA. */
const maxCertificates = 4

/** What a response says about one certificate, and for how long. */
export interface SingleResponse {
  readonly certId: CertId
  readonly status: OcspStatus
  readonly thisUpdate: Date
  /** Absent: newer information is there all the time. */
  readonly nextUpdate: Date | undefined
}

/** Who signed: by the SHA-1 of its key, or by its encoded name. */
export type ResponderId = { readonly keyHash: Buffer } | { readonly nameDer: Buffer }

/** A response that was read: facts only. `verifyOcspResponse` says whether it may be believed. */
export type OcspResponse =
  | { readonly status: OcspError }
  | {
      readonly status: 'successful'
      readonly responderId: ResponderId
      readonly producedAt: Date
      readonly responses: readonly SingleResponse[]
      readonly nonce: Buffer | undefined
      /** The octets that are signed. */
      readonly tbs: Buffer
      readonly signatureAlgorithm: SignatureAlgorithm
      readonly signature: Buffer
      /** What came with it, of whoever made it. */
      readonly certificates: readonly Certificate[]
    }

/** A response that has statuses. */
export type BasicOcspResponse = Extract<OcspResponse, { status: 'successful' }>

const malformedCode = 'ocsp-response-malformed'

/**
 * Parses a response; its grammar stands at `buildOcspResponse`.
 *
 * @throws PkiError `ocsp-response-malformed` or `ocsp-response-too-large`
 */
export function parseOcspResponse(der: Uint8Array): OcspResponse {
  try {
    return readDer(der, 'OCSP response', readResponse, { maxBytes: maxOcspResponseBytes })
  } catch (error) {
    throw recode(error, 'OCSP response', {
      prefix: 'ocsp-',
      malformed: malformedCode,
      tooLarge: 'ocsp-response-too-large',
      unsupported: malformedCode,
    })
  }
}

function readResponse(reader: DerReader): OcspResponse {
  const what = 'OCSP response'
  const outer = reader.sequence(what)
  const code = outer.enumerated('responseStatus')
  if (code !== 0) {
    outer.end(what)
    const error = ocspErrors.find((candidate) => candidate.code === code)
    if (error === undefined) throw malformed(`responseStatus ${code} is unknown`)
    return { status: error.name }
  }
  const wrapper = outer.constructed(contextConstructed(0), 'responseBytes')
  outer.end(what)
  const bytes = wrapper.sequence('responseBytes')
  wrapper.end('responseBytes')
  if (bytes.oid('responseType') !== ocspOids.basic) throw malformed('responseType must be id-pkix-ocsp-basic')
  const basic = bytes.octetString('response')
  bytes.end('responseBytes')
  return readDer(basic, 'BasicOCSPResponse', readBasic)
}

function readBasic(reader: DerReader): BasicOcspResponse {
  const what = 'BasicOCSPResponse'
  const basic = reader.sequence(what)
  const { der: tbs, value } = basic.encoding(readResponseData)
  const signatureAlgorithm = readSignatureAlgorithm(basic, 'signatureAlgorithm')
  const signature = basic.bitString('signature')
  const certs = basic.optionalExplicit(0, 'certs')
  const certificates = certs === undefined ? [] : readCertificates(certs.sequence('certs'))
  certs?.end('certs')
  basic.end(what)
  return { status: 'successful', ...value, tbs, signatureAlgorithm, signature, certificates }
}

function readCertificates(list: DerReader): Certificate[] {
  const certificates: Certificate[] = []
  while (!list.done) {
    if (certificates.length === maxCertificates) {
      throw malformed(`carries more than ${maxCertificates} certificates`)
    }
    const certificate = parseCertificate(list.element('certificate'))
    // The responder is found by this among them: what has no readable key is refused here, not there.
    responderKeyHash(certificate)
    certificates.push(certificate)
  }
  return certificates
}

function readResponseData(reader: DerReader) {
  const data = reader.sequence('tbsResponseData')
  if (data.peek() === contextConstructed(0)) throw malformed('version must be left out, it can only be 1')
  const responderId = readResponderId(data)
  const producedAt = data.generalizedTime('producedAt')
  const list = data.sequence('responses')
  const responses: SingleResponse[] = []
  while (!list.done) {
    if (responses.length === maxOcspRequestCertificates) {
      throw malformed(`is about more than ${maxOcspRequestCertificates} certificates`)
    }
    responses.push(readSingle(list.sequence('response')))
  }
  const wrapper = data.optionalExplicit(1, 'responseExtensions')
  const nonce =
    wrapper === undefined
      ? undefined
      : readNonce(readExtensions(wrapper, 'responseExtensions'), malformedCode)
  wrapper?.end('responseExtensions')
  data.end('tbsResponseData')
  return { responderId, producedAt, responses, nonce }
}

/** ResponderID ::= CHOICE { byName [1] EXPLICIT Name, byKey [2] EXPLICIT OCTET STRING } */
function readResponderId(data: DerReader): ResponderId {
  const name = data.optionalExplicit(1, 'responderID')
  if (name !== undefined) {
    const { der } = name.encoding((inner) => readName(inner, 'responderID'))
    name.end('responderID')
    return { nameDer: der }
  }
  const key = data.constructed(contextConstructed(2), 'responderID')
  const keyHash = key.octetString('responderID')
  key.end('responderID')
  return { keyHash }
}

/**
 *     SingleResponse ::= SEQUENCE {
 *         certID               CertID,
 *         certStatus           CertStatus,
 *         thisUpdate           GeneralizedTime,
 *         nextUpdate       [0] EXPLICIT GeneralizedTime OPTIONAL,
 *         singleExtensions [1] EXPLICIT Extensions OPTIONAL }
 */
function readSingle(single: DerReader): SingleResponse {
  const certId = readCertId(single)
  const status = readStatus(single)
  const thisUpdate = single.generalizedTime('thisUpdate')
  const next = single.optionalExplicit(0, 'nextUpdate')
  const nextUpdate = next?.generalizedTime('nextUpdate')
  next?.end('nextUpdate')
  const extensions = single.optionalExplicit(1, 'singleExtensions')
  if (extensions !== undefined) {
    refuseCriticals(readExtensions(extensions, 'singleExtensions'), malformedCode)
    extensions.end('singleExtensions')
  }
  single.end('response')
  return { certId, status, thisUpdate, nextUpdate }
}

function malformed(problem: string): PkiError {
  return new PkiError(malformedCode, `OCSP response: ${problem}`)
}
