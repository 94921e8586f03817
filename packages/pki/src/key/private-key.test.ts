import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { fromPem, toPem } from '../pem.ts'
import { refusalOf } from '../testing/refusal.ts'
import { keyAlgorithms } from './algorithm.ts'
import { generateKeyPair } from './generate.ts'
import { exportPrivateKey, importPrivateKey } from './private-key.ts'
import { testKeyPair } from '../testing/key-pair.ts'

const { privateKey, publicKey } = generateKeyPair('P-256')
const encrypted = exportPrivateKey(privateKey, 'correct horse')

describe('a private key in PEM', () => {
  it.each(keyAlgorithms)('of %s goes out and in, plain and encrypted', (algorithm) => {
    const { privateKey } = testKeyPair(algorithm, 'leaf')
    expect(importPrivateKey(exportPrivateKey(privateKey)).equals(privateKey)).toBe(true)
    const pem = exportPrivateKey(privateKey, 'pässword')
    expect(importPrivateKey(pem, 'pässword').equals(privateKey)).toBe(true)
    // node:crypto judges our PBES2, not only our own reader.
    expect(createPrivateKey({ key: pem, passphrase: 'pässword' }).equals(privateKey)).toBe(true)
  })

  it('encrypted shows nothing of the key, and differs each time', () => {
    const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
    const secret = pkcs8.subarray(36, 68)
    expect(fromPem(encrypted)[0]?.label).toBe('ENCRYPTED PRIVATE KEY')
    expect(fromPem(encrypted)[0]?.der.includes(secret)).toBe(false)
    expect(exportPrivateKey(privateKey, 'correct horse')).not.toBe(encrypted)
  })

  it('encrypted by OpenSSL is read', () => {
    const pem = privateKey.export({ format: 'pem', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'x' })
    expect(importPrivateKey(pem, 'x').equals(privateKey)).toBe(true)
  })

  it('in the older forms of openssl is read, with what stands around it', () => {
    const sec1 = privateKey.export({ format: 'pem', type: 'sec1' })
    const parameters = toPem('CERTIFICATE', Buffer.of(0x30, 0)).replaceAll('CERTIFICATE', 'EC PARAMETERS')
    expect(importPrivateKey(`${parameters}${sec1}`).equals(privateKey)).toBe(true)
    const rsa = testKeyPair('RSA-2048', 'leaf').privateKey
    expect(importPrivateKey(rsa.export({ format: 'pem', type: 'pkcs1' })).equals(rsa)).toBe(true)
  })

  it.each([
    [
      'is not there',
      () => importPrivateKey(toPem('CERTIFICATE', Buffer.of(0x30, 0))),
      'key-invalid',
      'private key: the PEM text holds no private key',
    ],
    [
      'stands there twice',
      () => importPrivateKey(encrypted + encrypted, 'correct horse'),
      'key-invalid',
      'private key: the PEM text holds more than one',
    ],
    [
      'is damaged',
      () => importPrivateKey(toPem('PRIVATE KEY', Buffer.of(0x30, 0))),
      'key-invalid',
      'private key: is not a valid key',
    ],
    [
      'is encrypted and there is no passphrase',
      () => importPrivateKey(encrypted),
      'key-passphrase-missing',
      'private key: is encrypted and no passphrase was given',
    ],
    [
      'is encrypted and the passphrase is empty',
      () => importPrivateKey(encrypted, ''),
      'key-passphrase-missing',
      'private key: is encrypted and no passphrase was given',
    ],
    [
      'has another passphrase',
      () => importPrivateKey(encrypted, 'wrong horse'),
      'key-passphrase-wrong',
      'private key: the passphrase is wrong, or the file is damaged',
    ],
    [
      'is to be encrypted with nothing',
      () => exportPrivateKey(privateKey, ''),
      'key-passphrase-missing',
      'private key: the passphrase must not be empty',
    ],
    [
      'is a public key',
      () => exportPrivateKey(publicKey),
      'key-invalid',
      'private key: this is a public key',
    ],
  ])('is refused when it %s', (_, run, code, message) => {
    expect(refusalOf(run)).toEqual({ code, message })
  })

  it('is refused when its kind is not supported', () => {
    const pem = generateKeyPairSync('ed448').privateKey.export({ format: 'pem', type: 'pkcs8' })
    expect(refusalOf(() => importPrivateKey(pem))).toEqual({
      code: 'key-unsupported',
      message: 'key: ed448 is not supported; use P-256, P-384, Ed25519, RSA-2048, RSA-3072, RSA-4096',
    })
  })
})
