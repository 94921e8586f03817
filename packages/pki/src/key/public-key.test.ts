import { createHash, createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { bitString, integer, nullValue, oid, sequence } from '../der/index.ts'
import { refusalOf } from '../testing/refusal.ts'
import { detectKeyAlgorithm, keyAlgorithm, keyAlgorithms } from './algorithm.ts'
import { generateKeyPair, generateKeyPairAsync } from './generate.ts'
import { exportPublicKey, importPublicKey, publicKeyFingerprint } from './public-key.ts'

const ecPublicKey = oid('1.2.840.10045.2.1')
const p256 = oid('1.2.840.10045.3.1.7')
const rsaEncryption = oid('1.2.840.113549.1.1.1')
const ed25519 = oid('1.3.101.112')
const point = exportPublicKey(generateKeyPair('P-256').publicKey).subarray(-65)
const rsaNumbers = sequence(integer((1n << 2047n) + 1n), integer(65537))

describe('a SubjectPublicKeyInfo', () => {
  it.each(keyAlgorithms)('of %s goes in and out unchanged, and its kind is known', async (algorithm) => {
    const { publicKey, privateKey } = await generateKeyPairAsync(algorithm)
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    const imported = importPublicKey(spki)
    expect(imported.equals(publicKey)).toBe(true)
    expect(exportPublicKey(imported)).toEqual(spki)
    expect(exportPublicKey(publicKey)).toEqual(spki)
    expect(exportPublicKey(privateKey)).toEqual(spki)
    expect([keyAlgorithm(imported), keyAlgorithm(privateKey)]).toEqual([algorithm, algorithm])
    const sha256 = createHash('sha256').update(spki).digest('hex')
    expect([publicKeyFingerprint(imported), publicKeyFingerprint(spki)]).toEqual([sha256, sha256])
  })

  it('does not change when the bytes that it came from do', () => {
    const spki = Buffer.from(exportPublicKey(generateKeyPair('P-256').publicKey))
    const imported = importPublicKey(spki)
    const before = publicKeyFingerprint(imported)
    spki.fill(0)
    expect(publicKeyFingerprint(imported)).toBe(before)
  })

  it.each([
    [
      'a compressed point',
      sequence(sequence(ecPublicKey, p256), bitString(Buffer.concat([Buffer.of(2), point.subarray(1, 33)]))),
      'key-unsupported',
    ],
    [
      'a point cut off',
      sequence(sequence(ecPublicKey, p256), bitString(point.subarray(0, 64))),
      'key-unsupported',
    ],
    [
      'a hybrid point',
      sequence(sequence(ecPublicKey, p256), bitString(Buffer.concat([Buffer.of(6), point.subarray(1)]))),
      'key-unsupported',
    ],
    [
      'a point off the curve',
      sequence(
        sequence(ecPublicKey, p256),
        bitString(Buffer.concat([point.subarray(0, 64), Buffer.of((point[64] ?? 0) ^ 1)])),
      ),
      'key-invalid',
    ],
    [
      'the point at infinity',
      sequence(sequence(ecPublicKey, p256), bitString(Buffer.of(0))),
      'key-unsupported',
    ],
    ['EC without a curve', sequence(sequence(ecPublicKey), bitString(point)), 'key-unsupported'],
    [
      'implicit curve parameters',
      sequence(sequence(ecPublicKey, nullValue()), bitString(point)),
      'key-unsupported',
    ],
    ['a curve and more', sequence(sequence(ecPublicKey, p256, nullValue()), bitString(point)), 'der-invalid'],
    ['RSA without NULL parameters', sequence(sequence(rsaEncryption), bitString(rsaNumbers)), 'der-invalid'],
    [
      'RSA with a negative modulus',
      sequence(sequence(rsaEncryption, nullValue()), bitString(sequence(integer(-7), integer(3)))),
      'der-invalid',
    ],
    [
      'RSA with a third number',
      sequence(sequence(rsaEncryption, nullValue()), bitString(sequence(integer(7), integer(3), integer(1)))),
      'der-invalid',
    ],
    [
      'RSA with 4104 bits',
      sequence(
        sequence(rsaEncryption, nullValue()),
        bitString(sequence(integer(1n << 4103n), integer(65537))),
      ),
      'key-unsupported',
    ],
    [
      'RSA with a 72-bit exponent',
      sequence(
        sequence(rsaEncryption, nullValue()),
        bitString(sequence(integer((1n << 2047n) + 1n), integer((1n << 71n) + 1n))),
      ),
      'key-unsupported',
    ],
    [
      'Ed25519 with parameters',
      sequence(sequence(ed25519, nullValue()), bitString(Buffer.alloc(32, 9))),
      'der-invalid',
    ],
    ['Ed25519 with 31 octets', sequence(sequence(ed25519), bitString(Buffer.alloc(31, 9))), 'key-invalid'],
    [
      'trailing bytes',
      Buffer.concat([exportPublicKey(generateKeyPair('Ed25519').publicKey), Buffer.of(0)]),
      'der-invalid',
    ],
    [
      'an unknown algorithm',
      sequence(sequence(oid('1.2.3')), bitString(Buffer.alloc(32))),
      'key-unsupported',
    ],
  ])('with %s is refused', (_, spki, code) => {
    expect(refusalOf(() => importPublicKey(spki)).code).toBe(code)
  })

  it('with explicit curve parameters is refused, though OpenSSL takes them for the named curve', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' })
    const spki = publicKey.export({ format: 'der', type: 'spki' })
    expect(createPublicKey({ key: spki, format: 'der', type: 'spki' }).asymmetricKeyType).toBe('ec')
    expect(refusalOf(() => importPublicKey(spki))).toEqual({
      code: 'key-unsupported',
      message: 'public key: the curve must be named, explicit parameters are refused',
    })
  })

  it('of other kinds is refused by name', () => {
    const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey
    expect(refusalOf(() => importPublicKey(p521.export({ format: 'der', type: 'spki' }))).message).toBe(
      'public key: curve 1.3.132.0.35 is not supported; use P-256 or P-384',
    )
    expect(detectKeyAlgorithm(p521)).toBeUndefined()
    expect(refusalOf(() => keyAlgorithm(p521))).toEqual({
      code: 'key-unsupported',
      message:
        'key: curve secp521r1 is not supported; use P-256, P-384, Ed25519, RSA-2048, RSA-3072, RSA-4096',
    })
  })
})
