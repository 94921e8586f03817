import { createHash, generateKeyPairSync, privateEncrypt, verify } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { nullValue, oid, readDer, sequence } from '../der/index.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import { refusalOf } from '../testing/refusal.ts'
import { keyAlgorithms } from './algorithm.ts'
import { generateKeyPair } from './generate.ts'
import {
  encodeSignatureAlgorithm,
  readSignatureAlgorithm,
  type SignatureAlgorithm,
  signatureHash,
  verifySignature,
} from './signature.ts'
import { keySigner } from './signer.ts'

const message = Buffer.from('to be signed')
const read = (der: Buffer) =>
  readDer(der, 'algorithm', (reader) => readSignatureAlgorithm(reader, 'algorithm'))

const threads = ['pool', 'calling'] as const

describe.each(threads)('a signer on the %s thread', (thread) => {
  it.each(keyAlgorithms)('for %s signs what its public key verifies, and nothing else', async (algorithm) => {
    const { privateKey, publicKey } = testKeyPair(algorithm, 'signer')
    const signer = keySigner(privateKey, { thread })
    const signature = await signer.sign(message)
    expect(signer.publicKey.equals(publicKey)).toBe(true)
    expect(verify(signatureHash(signer.algorithm), message, publicKey, signature)).toBe(true)
    const verifies = (key: typeof publicKey, bytes: Buffer) =>
      verifySignature(signer.algorithm, key, bytes, signature, thread)
    expect(await verifies(publicKey, message)).toBe(true)
    expect(await verifies(publicKey, Buffer.from('other'))).toBe(false)
    expect(await verifies(testKeyPair(algorithm, 'other').publicKey, message)).toBe(false)
  })

  it.each(keyAlgorithms)('for %s signs what comes in pieces as if it were one', async (algorithm) => {
    const { privateKey, publicKey } = testKeyPair(algorithm, 'signer')
    const signer = keySigner(privateKey, { thread })
    const pieces = [message.subarray(0, 3), Buffer.alloc(0), message.subarray(3)]
    const signature = await signer.sign(pieces)
    expect(await verifySignature(signer.algorithm, publicKey, message, signature, thread)).toBe(true)
    const others = await signer.sign(pieces.toReversed())
    expect(await verifySignature(signer.algorithm, publicKey, message, others, thread)).toBe(false)
  })
})

describe('a signer', () => {
  it('is not made from a public key, nor from a kind of key that is not supported', () => {
    expect(refusalOf(() => keySigner(generateKeyPair('P-256').publicKey)).code).toBe('key-invalid')
    const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey
    expect(refusalOf(() => keySigner(p521)).code).toBe('key-unsupported')
  })
})

describe.each(threads)('verification on the %s thread', (thread) => {
  const { privateKey, publicKey } = generateKeyPair('P-256')

  it('fails for bytes that are no signature at all', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(64), Buffer.from('30060201000201', 'hex')]) {
      expect(await verifySignature('ecdsa-with-SHA256', publicKey, message, bytes, thread)).toBe(false)
    }
  })

  it('fails for a signature in BER, with bytes after it, or by another hash', async () => {
    const signature = await keySigner(privateKey).sign(message)
    const verifyAs = (algorithm: SignatureAlgorithm, bytes: Buffer) =>
      verifySignature(algorithm, publicKey, message, bytes, thread)
    expect(await verifyAs('ecdsa-with-SHA256', signature)).toBe(true)
    expect(await verifyAs('ecdsa-with-SHA384', signature)).toBe(false)
    expect(await verifyAs('ecdsa-with-SHA256', Buffer.concat([signature, Buffer.of(0)]))).toBe(false)
    const ber = Buffer.concat([Buffer.of(0x30, 0x81, signature.length - 2), signature.subarray(2)])
    expect(await verifyAs('ecdsa-with-SHA256', ber)).toBe(false)
  })

  it('fails when the algorithm is for another kind of key, whatever the bytes', async () => {
    const signature = await keySigner(privateKey).sign(message)
    for (const algorithm of ['sha256WithRSAEncryption', 'Ed25519'] as const) {
      expect(await verifySignature(algorithm, publicKey, message, signature, thread)).toBe(false)
    }
  })

  it('fails for an RSA signature whose padding names another hash', async () => {
    // What node-forge 1.4.3 lets through: the digest is right, the DigestInfo says SHA-1.
    const rsa = testKeyPair('RSA-2048', 'signer')
    const sha256 = createHash('sha256').update(message).digest()
    const digestInfo = sequence(
      sequence(oid('1.3.14.3.2.26'), nullValue()),
      Buffer.concat([Buffer.of(4, 32), sha256]),
    )
    const forged = privateEncrypt(rsa.privateKey, digestInfo)
    const { publicKey } = rsa
    expect(await verifySignature('sha256WithRSAEncryption', publicKey, message, forged, thread)).toBe(false)
  })
})

describe('an AlgorithmIdentifier', () => {
  it.each<[SignatureAlgorithm, string]>([
    ['ecdsa-with-SHA256', '300a06082a8648ce3d040302'],
    ['ecdsa-with-SHA384', '300a06082a8648ce3d040303'],
    ['ecdsa-with-SHA512', '300a06082a8648ce3d040304'],
    ['Ed25519', '300506032b6570'],
    ['sha256WithRSAEncryption', '300d06092a864886f70d01010b0500'],
    ['sha384WithRSAEncryption', '300d06092a864886f70d01010c0500'],
    ['sha512WithRSAEncryption', '300d06092a864886f70d01010d0500'],
  ])('of %s is %s', (algorithm, hex) => {
    expect(encodeSignatureAlgorithm(algorithm).toString('hex')).toBe(hex)
    expect(read(Buffer.from(hex, 'hex'))).toBe(algorithm)
  })

  it.each([
    ['ECDSA with NULL parameters', '300c06082a8648ce3d0403020500', 'der-invalid'],
    ['RSA without parameters', '300b06092a864886f70d01010b', 'der-invalid'],
    ['ECDSA with SHA-1', '300906072a8648ce3d0401', 'signature-algorithm-unsupported'],
    ['RSA with SHA-1', '300d06092a864886f70d0101050500', 'signature-algorithm-unsupported'],
    ['RSA with MD5', '300d06092a864886f70d0101040500', 'signature-algorithm-unsupported'],
    ['RSA-PSS', '300d06092a864886f70d01010a3000', 'signature-algorithm-unsupported'],
  ])('of %s is refused', (_, hex, code) => {
    expect(refusalOf(() => read(Buffer.from(hex, 'hex'))).code).toBe(code)
  })
})
