import { createHash, createHmac, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import * as fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { type Certificate, issueCertificate, type Issuer } from '../certificate/index.ts'
import { explicit, integer, octetString, oid, sequence, setOf } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { commonNames } from '../name/index.ts'
import { defaultProfiles } from '../profile/index.ts'
import { newSerial } from '../serial.ts'
import { pump7, testAuthority, testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import { readPkcs12, writePkcs12 } from './index.ts'
import { deriveMacKey } from './key-derivation.ts'

const password = 'correct horse'
const { privateKey, publicKey } = testKeyPair('P-256', 'leaf')
let root: Issuer
let issuing: Issuer
let certificate: Certificate
let chain: Certificate[]

async function leafFor(key = publicKey): Promise<Certificate> {
  return issueCertificate({
    profile: defaultProfiles.device,
    issuer: issuing,
    subject: pump7,
    publicKey: key,
    serial: newSerial(),
    now: testNow,
  })
}

beforeAll(async () => {
  ;({ root, issuing } = await testAuthority())
  certificate = await leafFor()
  chain = [issuing.certificate, root.certificate]
})

const write = (changes: Partial<Parameters<typeof writePkcs12>[0]> = {}) =>
  writePkcs12({ privateKey, certificate, chain, password, iterations: 100, ...changes })

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (error instanceof PkiError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'accepted'
}

describe('a PKCS#12 file', () => {
  it('gives back the key, the certificate and the chain that it was written with', () => {
    const read = readPkcs12(write({ friendlyName: 'pump-7 im Keller', iterations: 2048 }), password)
    expect(read.privateKey.equals(privateKey)).toBe(true)
    expect(read.certificate.der).toEqual(certificate.der)
    expect(read.chain.map(({ der }) => der)).toEqual(chain.map(({ der }) => der))
  })

  it.each(['P-384', 'Ed25519', 'RSA-2048'] as const)('carries a %s key as well', async (algorithm) => {
    const pair = testKeyPair(algorithm, 'leaf')
    const leaf = await leafFor(pair.publicKey)
    const read = readPkcs12(write({ privateKey: pair.privateKey, certificate: leaf }), password)
    expect(read.privateKey.equals(pair.privateKey)).toBe(true)
    expect(read.certificate.der).toEqual(leaf.der)
  })

  it('holds neither the key nor the names in the clear', () => {
    const file = write()
    expect(file.includes(certificate.subjectDer)).toBe(false)
    expect(file.includes(privateKey.export({ format: 'der', type: 'pkcs8' }))).toBe(false)
  })

  it('uses fresh salts, or those of the generator that it is given', () => {
    expect(write()).not.toEqual(write())
    const random = (octets: number) => Buffer.alloc(octets, 7)
    expect(write({ random })).toEqual(write({ random }))
    const given = randomBytes(16)
    expect(write({ random: () => given }).includes(given)).toBe(true)
  })

  it('leaves out certificates that are not on the path from the leaf', () => {
    const read = readPkcs12(write({ chain: [root.certificate, issuing.certificate, certificate] }), password)
    expect(read.chain.map(({ der }) => der)).toEqual(chain.map(({ der }) => der))
    expect(readPkcs12(write({ chain: [root.certificate] }), password).chain).toEqual([])
  })

  it('is not written for a key that is not that of the certificate', () => {
    const other = testKeyPair('P-256', 'other').privateKey
    expect(refusal(() => write({ privateKey: other }))).toMatch(/^key-mismatch: /)
  })

  it.each(['', 'pässwort', 'a\nb', 'x'.repeat(1025)])('is not written under the password %j', (bad) => {
    expect(refusal(() => write({ password: bad }))).toMatch(/^pkcs12-password-invalid: /)
  })

  it('is not opened by another password', () => {
    expect(refusal(() => readPkcs12(write(), 'correct hors'))).toMatch(/^pkcs12-password-wrong: /)
    expect(refusal(() => readPkcs12(write(), ''))).toMatch(/^pkcs12-password-wrong: /)
  })

  it('gives back the same or nothing after any octet of it was changed', () => {
    const file = write()
    fc.assert(
      fc.property(fc.nat({ max: file.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, difference) => {
        const changed = Buffer.from(file)
        changed[at] = (changed[at] ?? 0) ^ difference
        const outcome = refusal(() => {
          const read = readPkcs12(changed, password)
          expect(read.privateKey.equals(privateKey)).toBe(true)
          expect([read.certificate, ...read.chain].map(({ der }) => der)).toEqual(
            [certificate, ...chain].map(({ der }) => der),
          )
        })
        // Outside the MAC's reach are only the parameters of the MAC's own algorithm, which nobody reads.
        expect(outcome).toMatch(/^(accepted$|pkcs12-)/)
      }),
      { numRuns: 300 },
    )
  })

  it('is refused when it is cut off, too large or something else', () => {
    const file = write()
    expect(refusal(() => readPkcs12(file.subarray(0, -1), password))).toMatch(/^pkcs12-invalid: /)
    expect(refusal(() => readPkcs12(Buffer.alloc(300_000), password))).toMatch(/^pkcs12-invalid: .* 262144/)
    expect(refusal(() => readPkcs12(certificate.der, password))).toMatch(/^pkcs12-invalid: /)
  })

  it('is refused when it asks for no rounds or for more than a reader should spend', () => {
    // The MAC's count is the last INTEGER of the file.
    const none = write({ iterations: 100 })
    none[none.length - 1] = 0
    const many = write({ iterations: 70_000 })
    many.writeUIntBE(0x7fffff, many.length - 3, 3)
    for (const file of [none, many]) {
      expect(refusal(() => readPkcs12(file, password))).toMatch(
        /^pkcs12-invalid: .*iterations must be 1 to 1000000/,
      )
    }
  })

  it('binds the key to its certificate by localKeyId, without which Java sees no key entry', () => {
    const keyId = octetString(createHash('sha1').update(certificate.der).digest())
    expect(write().includes(sequence(oid('1.2.840.113549.1.9.21'), setOf(keyId)))).toBe(true)
  })
})

describe('a PKCS#12 file with bags in the clear under a MAC', () => {
  const pkcs8 = privateKey.export({ format: 'der', type: 'pkcs8' })
  const keyBag = sequence(oid('1.2.840.113549.1.12.10.1.1'), explicit(0, pkcs8))
  const crlBag = sequence(oid('1.2.840.113549.1.12.10.1.4'), explicit(0, sequence()))
  const certBag = () =>
    sequence(
      oid('1.2.840.113549.1.12.10.1.3'),
      explicit(0, sequence(oid('1.2.840.113549.1.9.22.1'), explicit(0, octetString(certificate.der)))),
    )
  const data = (content: Buffer) => sequence(oid('1.2.840.113549.1.7.1'), explicit(0, octetString(content)))

  /** The file with these bags, its MAC by SHA-512 and a single round. */
  function file(...bags: Buffer[]): Buffer {
    const safe = sequence(data(sequence(...bags)))
    const salt = Buffer.alloc(8, 1)
    const mac = createHmac('sha512', deriveMacKey('sha512', password, salt, 1))
      .update(safe)
      .digest()
    const digest = sequence(sequence(oid('2.16.840.1.101.3.4.2.3'), Buffer.of(5, 0)), octetString(mac))
    return sequence(integer(3), data(safe), sequence(digest, octetString(salt)))
  }

  it('is read, bags of other kinds left out', () => {
    const read = readPkcs12(file(keyBag, crlBag, certBag()), password)
    expect(read.privateKey.equals(privateKey)).toBe(true)
    expect(read.certificate.der).toEqual(certificate.der)
  })

  it('is refused without a key, with two, or without the certificate of its key', () => {
    expect(refusal(() => readPkcs12(file(certBag()), password))).toMatch(/one private key, has 0/)
    expect(refusal(() => readPkcs12(file(keyBag, keyBag, certBag()), password))).toMatch(
      /one private key, has 2/,
    )
    expect(refusal(() => readPkcs12(file(keyBag), password))).toMatch(/no certificate for its private key/)
  })
})

describe('a PKCS#12 file in BER', () => {
  /** Writes the content of an OCTET STRING in two pieces of indefinite length, as NSS and Windows do. */
  function inPieces(octets: Buffer): Buffer {
    const half = octets.length >> 1
    const piece = (part: Buffer) =>
      Buffer.concat([Buffer.of(4, 0x82, part.length >> 8, part.length & 0xff), part])
    return indefinite(0x24, piece(octets.subarray(0, half)), piece(octets.subarray(half)))
  }
  const indefinite = (tag: number, ...content: Buffer[]) =>
    Buffer.concat([Buffer.of(tag, 0x80), ...content, Buffer.of(0, 0)])

  it('of indefinite lengths and strings in pieces is read like the one in DER', () => {
    const file = write()
    // PFX { version, ContentInfo { id-data, [0] { OCTET STRING } }, MacData }; all lengths have two octets.
    const contentInfo = file.indexOf(Buffer.from('06092a864886f70d010701a082', 'hex'))
    const safe = contentInfo + 11 + 4
    const length = file.readUInt16BE(safe + 2)
    const octets = file.subarray(safe + 4, safe + 4 + length)
    const mac = file.subarray(safe + 4 + length)
    const oid = file.subarray(contentInfo, contentInfo + 11)
    const ber = indefinite(
      0x30,
      Buffer.of(2, 1, 3),
      indefinite(0x30, oid, indefinite(0xa0, inPieces(octets))),
      mac,
    )
    const read = readPkcs12(ber, password)
    expect(read.certificate.der).toEqual(certificate.der)
    expect(read.chain).toHaveLength(2)
  })
})

describe('a PKCS#12 file of another program', () => {
  const vector = (name: string) => readFileSync(join(import.meta.dirname, 'vectors', `${name}.p12`))

  it.each([
    ['openssl-ec', 'vector-ec'],
    ['openssl-rsa', 'vector-rsa'],
    ['openssl-legacy-ec', 'vector-ec'],
    ['openssl-legacy-rsa', 'vector-rsa'],
    ['openssl-3des-rsa', 'vector-rsa'],
    ['java-ec', 'vector-ec'],
    ['gnutls-ec', 'vector-ec'],
  ])('%s is read: key, certificate and chain', (name, commonName) => {
    const read = readPkcs12(vector(name), 'fleetroot')
    expect(commonNames(read.certificate.subject)).toEqual([commonName])
    expect(read.chain.map(({ subject }) => commonNames(subject))).toEqual([['Vector Root']])
    expect(refusal(() => readPkcs12(vector(name), 'wrong'))).toMatch(/^pkcs12-password-wrong: /)
  })

  it('without a MAC is refused: nobody could tell whether it was changed', () => {
    expect(refusal(() => readPkcs12(vector('openssl-nomac-ec'), 'fleetroot'))).toBe(
      'pkcs12-invalid: PKCS#12: has no MAC; write it again with a password',
    )
  })
})
