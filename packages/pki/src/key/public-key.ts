import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { readDer, type DerReader, rememberOids } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { type KeyAlgorithm, rememberKeyAlgorithm } from './algorithm.ts'
import { keyMemo } from './memo.ts'

const rsaEncryption = '1.2.840.113549.1.1.1'
const ecPublicKey = '1.2.840.10045.2.1'
const ed25519 = '1.3.101.112'

/** The named curves by object identifier, with the octets of an uncompressed point. */
const curves: Readonly<Record<string, { readonly algorithm: KeyAlgorithm; readonly octets: number }>> = {
  '1.2.840.10045.3.1.7': { algorithm: 'P-256', octets: 65 },
  '1.3.132.0.34': { algorithm: 'P-384', octets: 97 },
}
rememberOids([rsaEncryption, ecPublicKey, ed25519, ...Object.keys(curves)])

/** Verification costs the square of this: a stranger may not send more than we would sign with. */
const maxModulusBits = 4096
const maxExponentOctets = 8

/** The numbers of an RSA public key, as big-endian magnitudes without leading zeros. */
export interface RsaNumbers {
  modulus: Buffer
  exponent: Buffer
}

// Exporting a KeyObject costs 40 µs, more than importing it; the bytes that it came from are kept beside it.
const encodings = keyMemo<Buffer>('SubjectPublicKeyInfo')

/**
 * Imports a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) that has the one DER form of its key: named curve
 * and uncompressed point for EC, NULL parameters for RSA, none for Ed25519. One key then has one fingerprint.
 *
 * @throws PkiError `key-unsupported` for other algorithms, curves, point forms and RSA keys over 4096 bits,
 * `key-invalid` for numbers that are no key (a point off the curve), `der-invalid` for bad DER
 */
export function importPublicKey(spki: Uint8Array): KeyObject {
  return readDer(spki, 'public key', (reader) => readPublicKey(reader, 'public key')).key
}

/** Reads a SubjectPublicKeyInfo inside a larger structure, as {@link importPublicKey} does. */
export function readPublicKey(reader: DerReader, what: string): { key: KeyObject; spki: Buffer } {
  const { der: spki, value: algorithm } = reader.encoding((outer) => checkSpki(outer.sequence(what), what))
  let key: KeyObject
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (cause) {
    throw new PkiError('key-invalid', `${what}: the numbers are not a valid key (a point off its curve?)`, {
      cause,
    })
  }
  encodings.set(key, spki)
  if (algorithm !== undefined) rememberKeyAlgorithm(key, algorithm)
  return { key, spki }
}

/** The DER SubjectPublicKeyInfo of a public key, or of the public half of a private key. Do not change it. */
export function exportPublicKey(key: KeyObject): Buffer {
  const kept = encodings.get(key)
  if (kept !== undefined) return kept
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'der', type: 'spki' })
  encodings.set(key, spki)
  return spki
}

/** Lower-case hex SHA-256 of the SubjectPublicKeyInfo: 64 digits that name a key. */
export function publicKeyFingerprint(publicKey: KeyObject | Uint8Array): string {
  return hash('sha256', publicKey instanceof Uint8Array ? publicKey : exportPublicKey(publicKey), 'hex')
}

/** The modulus and the exponent of an RSA public key. */
export function rsaNumbers(publicKey: KeyObject): RsaNumbers {
  return readDer(exportPublicKey(publicKey), 'RSA key', (reader) => {
    const info = reader.sequence('RSA key')
    info.element('RSA key: algorithm')
    return readRsa(info.bitString('RSA key'), 'RSA key')
  })
}

/** Refuses what is not the one form of its key. Answers with what it is, where that does not depend on its numbers. */
function checkSpki(info: DerReader, what: string): KeyAlgorithm | undefined {
  const algorithm = info.sequence(`${what}: algorithm`)
  const oid = algorithm.oid(`${what}: algorithm`)
  let known: KeyAlgorithm | undefined
  if (oid === ecPublicKey) {
    const { algorithm: ofCurve, octets } = namedCurve(algorithm, what)
    known = ofCurve
    const point = info.bitString(what)
    if (point[0] !== 4 || point.length !== octets) {
      throw new PkiError(
        'key-unsupported',
        `${what}: the EC point must be whole and uncompressed (RFC 5480 section 2.2)`,
      )
    }
  } else if (oid === rsaEncryption) {
    algorithm.null(`${what}: parameters of rsaEncryption`)
    checkRsaSize(readRsa(info.bitString(what), what), what)
  } else if (oid === ed25519) {
    if (info.bitString(what).length !== 32)
      throw new PkiError('key-invalid', `${what}: Ed25519 has 32 octets`)
    known = 'Ed25519'
  } else {
    throw new PkiError(
      'key-unsupported',
      `${what}: algorithm ${oid} is not supported; use EC, Ed25519 or RSA`,
    )
  }
  algorithm.end(`${what}: algorithm`)
  info.end(what)
  return known
}

function namedCurve(algorithm: DerReader, what: string): (typeof curves)[string] {
  // RFC 5480 section 2.1.1 leaves only namedCurve; explicit parameters were the door of CVE-2020-0601.
  if (algorithm.peek() !== 0x06) {
    throw new PkiError('key-unsupported', `${what}: the curve must be named, explicit parameters are refused`)
  }
  const curve = algorithm.oid(`${what}: curve`)
  const found = Object.hasOwn(curves, curve) ? curves[curve] : undefined
  if (found !== undefined) return found
  throw new PkiError('key-unsupported', `${what}: curve ${curve} is not supported; use P-256 or P-384`)
}

/** RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER } */
function readRsa(bytes: Buffer, what: string): RsaNumbers {
  return readDer(bytes, what, (reader) => {
    const numbers = reader.sequence(what)
    const modulus = numbers.positiveInteger(`${what}: modulus`)
    const exponent = numbers.positiveInteger(`${what}: exponent`)
    numbers.end(what)
    return { modulus, exponent }
  })
}

function checkRsaSize({ modulus, exponent }: RsaNumbers, what: string): void {
  if (modulus.length * 8 > maxModulusBits || exponent.length > maxExponentOctets) {
    throw new PkiError(
      'key-unsupported',
      `${what}: RSA over ${maxModulusBits} bits or with an exponent over 64 bits`,
    )
  }
}
