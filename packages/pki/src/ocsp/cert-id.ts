import { hash } from 'node:crypto'
import type { Certificate } from '../certificate/index.ts'
import {
  type DerReader,
  nullValue,
  octetString,
  oid,
  readDer,
  rememberOids,
  sequence,
  Tag,
  unsignedInteger,
} from '../der/index.ts'
import { serialFromBytes, type SerialNumber } from '../serial.ts'

/** The hashes by which a CertID may name its issuer, by the names of `node:crypto`. */
export type CertIdHash = 'sha1' | 'sha256' | 'sha384' | 'sha512'

// SHA-1 names here and protects nothing: RFC 5019 section 2.1.1 demands it, RFC 9654 and most clients send it.
const hashes = new Map<string, CertIdHash>([
  ['1.3.14.3.2.26', 'sha1'],
  ['2.16.840.1.101.3.4.2.1', 'sha256'],
  ['2.16.840.1.101.3.4.2.2', 'sha384'],
  ['2.16.840.1.101.3.4.2.3', 'sha512'],
])
const hashOids = new Map([...hashes].map(([oid, name]) => [name, oid]))
rememberOids(hashes.keys())

/** Which certificate somebody asks about (RFC 6960 section 4.1.1). */
export interface CertId {
  /** As it stood in the request: a response repeats it octet by octet. */
  readonly der: Buffer
  /** Undefined: a hash that is not supported, which then matches no issuer. */
  readonly hash: CertIdHash | undefined
  readonly issuerNameHash: Buffer
  readonly issuerKeyHash: Buffer
  readonly serial: SerialNumber
}

/** The CertID of the certificate that `issuer` issued under `serial`. */
export function createCertId(
  issuer: Certificate,
  serial: SerialNumber,
  algorithm: CertIdHash = 'sha256',
): CertId {
  const { issuerNameHash, issuerKeyHash } = issuerHashes(issuer, algorithm)
  const der = sequence(
    // Parameters NULL, as all clients send them for SHA-1 (RFC 4055 section 2.1 allows both).
    sequence(oid(hashOids.get(algorithm) ?? ''), nullValue()),
    octetString(issuerNameHash),
    octetString(issuerKeyHash),
    unsignedInteger(Buffer.from(serial, 'hex')),
  )
  return { der, hash: algorithm, issuerNameHash, issuerKeyHash, serial }
}

/** Whether a CertID is about a certificate of this CA: name and key both. False for hashes that are not supported. */
export function certIdMatches(certId: CertId, issuer: Certificate): boolean {
  if (certId.hash === undefined) return false
  const { issuerNameHash, issuerKeyHash } = issuerHashes(issuer, certId.hash)
  return certId.issuerNameHash.equals(issuerNameHash) && certId.issuerKeyHash.equals(issuerKeyHash)
}

/** Whether two CertIDs ask the same, however their hash algorithm's parameters are written. */
export function sameCertId(a: CertId, b: CertId): boolean {
  return (
    a.hash === b.hash &&
    a.hash !== undefined &&
    a.serial === b.serial &&
    a.issuerNameHash.equals(b.issuerNameHash) &&
    a.issuerKeyHash.equals(b.issuerKeyHash)
  )
}

/**
 * Reads a CertID:
 *
 *     CertID ::= SEQUENCE {
 *         hashAlgorithm  AlgorithmIdentifier,     -- parameters NULL or absent
 *         issuerNameHash OCTET STRING,            -- of the issuer's Name
 *         issuerKeyHash  OCTET STRING,            -- of the content of its subjectPublicKey
 *         serialNumber   CertificateSerialNumber }
 *
 * @throws PkiError `der-invalid` or `serial-invalid`
 */
export function readCertId(reader: DerReader): CertId {
  const { der, value } = reader.encoding((outer) => {
    const what = 'CertID'
    const fields = outer.sequence(what)
    const algorithm = fields.sequence('hashAlgorithm')
    const name = hashes.get(algorithm.oid('hashAlgorithm'))
    if (name !== undefined && algorithm.peek() === Tag.null) algorithm.null('hashAlgorithm')
    else if (name === undefined && !algorithm.done) algorithm.element('hashAlgorithm')
    algorithm.end('hashAlgorithm')
    const issuerNameHash = fields.octetString('issuerNameHash')
    const issuerKeyHash = fields.octetString('issuerKeyHash')
    const serial = serialFromBytes(fields.positiveInteger('serialNumber'))
    fields.end(what)
    return { hash: name, issuerNameHash, issuerKeyHash, serial }
  })
  return { der, ...value }
}

interface IssuerHashes {
  readonly issuerNameHash: Buffer
  readonly issuerKeyHash: Buffer
}

const known = new WeakMap<Certificate, Map<CertIdHash, IssuerHashes>>()

function issuerHashes(issuer: Certificate, algorithm: CertIdHash): IssuerHashes {
  let ofIssuer = known.get(issuer)
  if (ofIssuer === undefined) known.set(issuer, (ofIssuer = new Map<CertIdHash, IssuerHashes>()))
  let hashes = ofIssuer.get(algorithm)
  if (hashes === undefined) {
    hashes = {
      issuerNameHash: hash(algorithm, issuer.subjectDer, 'buffer'),
      issuerKeyHash: hash(algorithm, subjectPublicKey(issuer), 'buffer'),
    }
    ofIssuer.set(algorithm, hashes)
  }
  return hashes
}

/** The KeyHash of a responder (RFC 6960 section 4.2.1): SHA-1 of the content of its subjectPublicKey. */
export function responderKeyHash(responder: Certificate): Buffer {
  return issuerHashes(responder, 'sha1').issuerKeyHash
}

function subjectPublicKey(certificate: Certificate): Buffer {
  return readDer(certificate.publicKeyInfo, 'subjectPublicKeyInfo', (reader) => {
    const info = reader.sequence('subjectPublicKeyInfo')
    info.element('algorithm')
    return info.bitString('subjectPublicKey')
  })
}
