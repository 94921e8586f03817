import { createHmac, createPrivateKey, createPublicKey, timingSafeEqual } from 'node:crypto'
import type { KeyObject } from 'node:crypto'
import type { Certificate } from '../certificate/certificate.ts'
import { parseCertificate } from '../certificate/parse.ts'
import { PkiError } from '../error.ts'
import { elements, explicitContent, invalid, objectIdentifier, octets, readBer, smallInteger } from './ber.ts'
import { checkIterations, decrypt } from './decrypt.ts'
import { type Asn1Node, forge } from './forge.ts'
import { deriveMacKey } from './key-derivation.ts'
import { macHashOids, pkcsOids } from './oids.ts'

/** What a PKCS#12 file holds for one identity. */
export interface Pkcs12Identity {
  readonly privateKey: KeyObject
  readonly certificate: Certificate
  /** The leaf's issuers that the file has, nearest first. */
  readonly chain: Certificate[]
}

/**
 * Reads a PKCS#12 file with one private key: the leaf is the certificate of that key, the chain follows the
 * issuer names. Certificates beside that path and bags of other kinds are left out. Besides what we write,
 * the legacy algorithms (Triple DES, RC2, SHA-1 MAC) are read, and BER.
 *
 * @param der the file.
 * @throws PkiError `pkcs12-password-wrong`; `pkcs12-invalid` for a file without MAC, without key, with
 *   several keys or without the key's certificate; `pkcs12-unsupported` for other algorithms.
 */
export function readPkcs12(der: Uint8Array, password: string): Pkcs12Identity {
  const [version, authSafe, mac] = elements(readBer(der, 'file'), 'PFX')
  if (smallInteger(version, 'version') !== 3) throw invalid('version must be 3')
  const safe = octets(contentOf(authSafe, pkcsOids.data, 'authSafe'), 'authSafe')
  verifyMac(mac, safe, password)

  const keys: Buffer[] = []
  const certificates: Certificate[] = []
  for (const contentInfo of elements(readBer(safe, 'AuthenticatedSafe'), 'AuthenticatedSafe')) {
    const contents = readBer(safeContents(contentInfo, password), 'SafeContents')
    for (const bag of elements(contents, 'SafeContents')) readBag(bag, password, keys, certificates)
  }
  const [key, ...otherKeys] = keys
  if (key === undefined || otherKeys.length > 0)
    throw invalid(`must hold one private key, has ${keys.length}`)
  return identity(importKey(key), certificates)
}

/** The content of a ContentInfo of that type. */
function contentOf(contentInfo: Asn1Node | undefined, type: string, what: string): Asn1Node {
  const [contentType, content] = elements(contentInfo, what)
  if (objectIdentifier(contentType, what) !== type) throw invalid(`${what} has an unknown content type`)
  return explicitContent(content, what)
}

/** RFC 7292, 5.1. The MAC is checked before anything else is looked at; a file without one is refused. */
function verifyMac(mac: Asn1Node | undefined, safe: Buffer, password: string): void {
  if (mac === undefined) throw invalid('has no MAC; write it again with a password')
  const [digestInfo, salt, iterations] = elements(mac, 'macData')
  const [algorithm, expected] = elements(digestInfo, 'mac')
  const oid = objectIdentifier(elements(algorithm, 'mac algorithm')[0], 'mac algorithm')
  const digest = Object.hasOwn(macHashOids, oid) ? macHashOids[oid as keyof typeof macHashOids] : undefined
  if (digest === undefined)
    throw new PkiError('pkcs12-unsupported', `PKCS#12: MAC with ${oid} is not supported`)
  // iterations INTEGER DEFAULT 1
  const rounds = checkIterations(iterations === undefined ? 1 : smallInteger(iterations, 'MAC iterations'))
  const key = deriveMacKey(digest, password, octets(salt, 'macSalt'), rounds)
  const actual = createHmac(digest, key).update(safe).digest()
  const wanted = octets(expected, 'mac')
  if (actual.length !== wanted.length || !timingSafeEqual(actual, wanted)) {
    throw new PkiError(
      'pkcs12-password-wrong',
      'PKCS#12: the password does not open the file, or the file was changed',
    )
  }
}

/** A part of the AuthenticatedSafe: Data, or EncryptedData with the same password. */
function safeContents(contentInfo: Asn1Node, password: string): Buffer {
  const type = objectIdentifier(elements(contentInfo, 'ContentInfo')[0], 'contentType')
  const content = contentOf(contentInfo, type, 'ContentInfo')
  if (type === pkcsOids.data) return octets(content, 'SafeContents')
  if (type !== pkcsOids.encryptedData) {
    throw new PkiError(
      'pkcs12-unsupported',
      'PKCS#12: content that is encrypted for a public key is not supported',
    )
  }
  const [, info] = elements(content, 'EncryptedData')
  const [, algorithm, encrypted] = elements(info, 'EncryptedContentInfo')
  return decrypt(algorithm, octets(encrypted, 'encryptedContent', true), password)
}

function readBag(bag: Asn1Node, password: string, keys: Buffer[], certificates: Certificate[]): void {
  const [bagId, bagValue] = elements(bag, 'SafeBag')
  const type = objectIdentifier(bagId, 'bagId')
  const value = explicitContent(bagValue, 'bagValue')
  if (type === pkcsOids.shroudedKeyBag) {
    const [algorithm, encrypted] = elements(value, 'EncryptedPrivateKeyInfo')
    keys.push(decrypt(algorithm, octets(encrypted, 'encryptedData'), password))
  } else if (type === pkcsOids.keyBag) {
    keys.push(Buffer.from(forge().asn1.toDer(value).getBytes(), 'latin1'))
  } else if (type === pkcsOids.certBag) {
    const [certId, certValue] = elements(value, 'CertBag')
    if (objectIdentifier(certId, 'certId') !== pkcsOids.x509Certificate) return
    certificates.push(parseCertificate(octets(explicitContent(certValue, 'certValue'), 'certValue')))
  }
}

function importKey(pkcs8: Buffer): KeyObject {
  try {
    return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  } catch (error) {
    throw new PkiError('key-invalid', 'PKCS#12: the private key cannot be read', { cause: error })
  }
}

function identity(privateKey: KeyObject, certificates: readonly Certificate[]): Pkcs12Identity {
  const publicKeyInfo = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const certificate = certificates.find((candidate) => candidate.publicKeyInfo.equals(publicKeyInfo))
  if (certificate === undefined) throw invalid('has no certificate for its private key')
  const chain: Certificate[] = []
  for (let last = certificate; !last.issuerDer.equals(last.subjectDer);) {
    const wanted = last.issuerDer
    const issuer = certificates.find((candidate) => candidate.subjectDer.equals(wanted))
    if (issuer === undefined || chain.includes(issuer)) break
    chain.push(issuer)
    last = issuer
  }
  return { privateKey, certificate, chain }
}
