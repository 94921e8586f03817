import { generateKeyPairSync, sign } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  bitString,
  contextConstructed,
  implicitSetOf,
  integer,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
  string,
  tlv,
} from '../der/index.ts'
import { PkiError } from '../error.ts'
import { encodeExtension, encodeExtendedKeyUsage, encodeKeyUsage, extensionOids } from '../extension/index.ts'
import {
  encodeSignatureAlgorithm,
  exportPublicKey,
  generateKeyPair,
  keyAlgorithms,
  publicKeyFingerprint,
} from '../key/index.ts'
import { encodeName, formatName, nameOf } from '../name/index.ts'
import { createCsr } from './create.ts'
import { maxCsrBytes, parseCsr } from './parse.ts'
import { testKeyPair } from '../testing/key-pair.ts'

const { privateKey, publicKey } = generateKeyPair('P-256')
const subject = encodeName(nameOf({ commonName: 'pump-7' }))
const algorithm = encodeSignatureAlgorithm('ecdsa-with-SHA256')

/** A CSR of any shape with a true signature. Every part may be replaced. */
function signedCsr({
  version = integer(0),
  name = subject,
  spki = exportPublicKey(publicKey),
  attributes = implicitSetOf(0),
  rest = new Array<Buffer>(),
  signatureAlgorithm = algorithm,
} = {}): Buffer {
  const info = sequence(version, name, spki, attributes, ...rest)
  return sequence(info, signatureAlgorithm, bitString(sign('sha256', info, privateKey)))
}

async function refusal(
  der: Uint8Array,
  options: Parameters<typeof parseCsr>[1] = {},
): Promise<{ code: string; message: string }> {
  const outcome = await parseCsr(der, options).catch((error: unknown) => error)
  if (outcome instanceof PkiError) return { code: outcome.code, message: outcome.message }
  throw new Error('the CSR was not refused with a PkiError', { cause: outcome })
}

const attribute = (type: string, ...values: Buffer[]) => sequence(oid(type), setOf(...values))
const extensionRequest = '1.2.840.113549.1.9.14'
const challenge = '1.2.840.113549.1.9.7'

describe('a CSR', () => {
  it('may have NULL parameters behind ECDSA, as mbedTLS 2 writes them, and nothing else', async () => {
    const ecdsa = oid('1.2.840.10045.4.3.2')
    const csr = await parseCsr(signedCsr({ signatureAlgorithm: sequence(ecdsa, nullValue()) }))
    expect(csr.commonName).toBe('pump-7')
    for (const parameters of [[integer(0)], [nullValue(), nullValue()], [tlv(0x05, Buffer.from([0]))]]) {
      const { code } = await refusal(signedCsr({ signatureAlgorithm: sequence(ecdsa, ...parameters) }))
      expect(code).toBe('csr-malformed')
    }
  })

  it.each(keyAlgorithms)('made with a key of kind %s is parsed to what went in', async (kind) => {
    const pair = testKeyPair(kind, 'leaf')
    const keyUsage = {
      oid: extensionOids.keyUsage,
      critical: true,
      value: encodeKeyUsage(['digitalSignature']),
    }
    const purposes = {
      oid: extensionOids.extendedKeyUsage,
      critical: false,
      value: encodeExtendedKeyUsage(['clientAuth']),
    }
    const subjectAltNames = [
      { type: 'uri', value: 'spiffe://fleet.example/device/pump-7' },
      { type: 'ip', value: '::1' },
    ] as const
    const der = createCsr({
      privateKey: pair.privateKey,
      commonName: 'pump-7',
      subjectAltNames,
      challengePassword: 'tls-unique+/=',
      extensions: [keyUsage, purposes],
    })
    const csr = await parseCsr(der)
    expect(csr.der).toEqual(der)
    expect(formatName(csr.subject)).toBe('CN=pump-7')
    expect(csr.commonName).toBe('pump-7')
    expect(csr.publicKey.equals(pair.publicKey)).toBe(true)
    expect(csr.publicKeyFingerprint).toBe(publicKeyFingerprint(pair.publicKey))
    expect(csr.subjectAltNames).toEqual(subjectAltNames)
    expect(csr.keyUsage).toEqual(['digitalSignature'])
    expect(csr.extendedKeyUsage).toEqual(['clientAuth'])
    expect(csr.basicConstraints).toBeUndefined()
    expect(csr.challengePassword).toBe('tls-unique+/=')
    expect(csr.extensions.map((extension) => extension.oid)).toEqual([
      extensionOids.subjectAltName,
      extensionOids.keyUsage,
      extensionOids.extendedKeyUsage,
    ])
  })

  it('may ask for nothing but a certificate for its key', async () => {
    const csr = await parseCsr(createCsr({ privateKey }))
    expect(csr).toMatchObject({
      subject: [],
      commonName: undefined,
      extensions: [],
      subjectAltNames: [],
      attributes: [],
    })
    expect(csr.challengePassword).toBeUndefined()
  })

  it('keeps a challenge that no PrintableString can hold', async () => {
    expect(
      (await parseCsr(createCsr({ privateKey, challengePassword: 'pässword*' }))).challengePassword,
    ).toBe('pässword*')
  })

  it('has no common name when it has two, though both are kept', async () => {
    const name = encodeName([...nameOf({ commonName: 'a' }), ...nameOf({ commonName: 'b' })])
    const csr = await parseCsr(signedCsr({ name }))
    expect(csr.commonName).toBeUndefined()
    expect(formatName(csr.subject)).toBe('CN=b,CN=a')
  })

  it('keeps attributes that mean nothing here', async () => {
    const unstructuredName = attribute('1.2.840.113549.1.9.2', string('utf8', 'x'))
    const csr = await parseCsr(signedCsr({ attributes: implicitSetOf(0, unstructuredName) }))
    expect(csr.attributes).toEqual([{ type: '1.2.840.113549.1.9.2', values: [string('utf8', 'x')] }])
  })

  it('may have its attributes in any order, as strongSwan writes them', async () => {
    const request = sequence(encodeExtension({ oid: '1.2.3', critical: false, value: Buffer.alloc(9) }))
    const parts = [attribute(extensionRequest, request), attribute(challenge, string('utf8', 'a'))]
    const attributes = tlv(contextConstructed(0), ...parts)
    expect(attributes).not.toEqual(implicitSetOf(0, ...parts))
    const csr = await parseCsr(signedCsr({ attributes }))
    expect(csr.attributes.map(({ type }) => type)).toEqual([extensionRequest, challenge])
    expect(csr.challengePassword).toBe('a')
  })

  it('is heard when it asks in the form of Microsoft', async () => {
    const request = sequence(
      encodeExtension({ oid: extensionOids.basicConstraints, critical: true, value: sequence() }),
    )
    const attributes = implicitSetOf(0, attribute('1.3.6.1.4.1.311.2.1.14', request))
    expect((await parseCsr(signedCsr({ attributes }))).basicConstraints).toEqual({
      ca: false,
      pathLength: undefined,
    })
  })

  it('does not change when the bytes that it came from do', async () => {
    const der = createCsr({ privateKey, commonName: 'pump-7' })
    const parsing = parseCsr(der)
    der.fill(0)
    expect((await parsing).der.equals(der)).toBe(false)
  })

  it('with SHA-384 or SHA-512 under a P-256 key is taken: the standard allows any of them', async () => {
    const info = sequence(integer(0), subject, exportPublicKey(publicKey), implicitSetOf(0))
    for (const [name, hash] of [
      ['ecdsa-with-SHA384', 'sha384'],
      ['ecdsa-with-SHA512', 'sha512'],
    ] as const) {
      const der = sequence(info, encodeSignatureAlgorithm(name), bitString(sign(hash, info, privateKey)))
      expect((await parseCsr(der)).signatureAlgorithm).toBe(name)
    }
  })
})

describe.each(['pool', 'calling'] as const)('proof of possession, verified on the %s thread,', (thread) => {
  it('fails when the key in the CSR is not the one that signed', async () => {
    const spki = exportPublicKey(generateKeyPair('P-256').publicKey)
    expect(await refusal(signedCsr({ spki }), { thread })).toEqual({
      code: 'csr-signature-invalid',
      message: 'CSR: the signature does not verify with the public key in the CSR',
    })
  })

  it.each(keyAlgorithms)(
    'fails for a key of kind %s when one bit of the content was changed',
    async (kind) => {
      const der = createCsr({ privateKey: testKeyPair(kind, 'leaf').privateKey, commonName: 'pump-7' })
      der[der.indexOf('pump-7')] = 'b'.charCodeAt(0)
      expect((await refusal(der, { thread })).code).toBe('csr-signature-invalid')
    },
  )

  it('fails for an empty signature and for one of zeros', async () => {
    const info = sequence(integer(0), subject, exportPublicKey(publicKey), implicitSetOf(0))
    for (const signature of [Buffer.alloc(0), Buffer.from('3006020100020100', 'hex')]) {
      const der = sequence(info, algorithm, bitString(signature))
      expect((await refusal(der, { thread })).code).toBe('csr-signature-invalid')
    }
  })
})

describe('a CSR is refused', () => {
  const duplicate = encodeExtension({ oid: '1.2.3', critical: false, value: Buffer.alloc(0) })
  const ca = encodeExtension({
    oid: extensionOids.basicConstraints,
    critical: true,
    value: Buffer.from('3003010101', 'hex'),
  })
  const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey.export({
    format: 'der',
    type: 'spki',
  })
  const request = sequence(duplicate)

  it.each([
    ['with version 1', signedCsr({ version: integer(1) }), 'csr-malformed', 'CSR: the version must be 0'],
    ['with a fifth field', signedCsr({ rest: [nullValue()] }), 'csr-malformed', /after its last element/],
    [
      'without attributes',
      signedCsr({ attributes: Buffer.alloc(0) }),
      'csr-malformed',
      /CSR attributes: \[0\] is missing/,
    ],
    [
      'with bytes after it',
      Buffer.concat([signedCsr(), Buffer.of(0)]),
      'csr-malformed',
      /1 byte after its last element/,
    ],
    ['cut off', signedCsr().subarray(0, -1), 'csr-malformed', /longer than what holds it/],
    ['empty', Buffer.alloc(0), 'csr-malformed', 'CSR: sequence is missing (at byte 0)'],
    ['that is PEM', Buffer.from('-----BEGIN CERTIFICATE REQUEST-----'), 'csr-malformed', /expected sequence/],
    ['larger than the limit', Buffer.alloc(maxCsrBytes + 1), 'csr-too-large', /at most 16384 are allowed/],
    [
      'with an attribute twice',
      signedCsr({
        attributes: implicitSetOf(
          0,
          attribute(challenge, string('utf8', 'a')),
          attribute(challenge, string('utf8', 'b')),
        ),
      }),
      'csr-malformed',
      /occurs twice/,
    ],
    [
      'with two challenges in one attribute',
      signedCsr({
        attributes: implicitSetOf(0, attribute(challenge, string('utf8', 'a'), string('utf8', 'b'))),
      }),
      'csr-malformed',
      /must have one value/,
    ],
    [
      'with an attribute without value',
      signedCsr({ attributes: implicitSetOf(0, attribute(challenge)) }),
      'csr-malformed',
      /missing/,
    ],
    [
      'with a challenge that is no string',
      signedCsr({ attributes: implicitSetOf(0, attribute(challenge, integer(1))) }),
      'csr-malformed',
      /expected a string/,
    ],
    [
      'with an extension twice',
      signedCsr({
        attributes: implicitSetOf(0, attribute(extensionRequest, sequence(duplicate, duplicate))),
      }),
      'csr-malformed',
      /1\.2\.3 occurs twice/,
    ],
    [
      'with two extension requests',
      signedCsr({
        attributes: implicitSetOf(
          0,
          attribute(extensionRequest, request),
          attribute('1.3.6.1.4.1.311.2.1.14', request),
        ),
      }),
      'csr-malformed',
      'CSR: has two extension requests, must have one',
    ],
    [
      'with a broken extension',
      signedCsr({ attributes: implicitSetOf(0, attribute(extensionRequest, sequence(ca))) }),
      'csr-malformed',
      /basicConstraints: cA/,
    ],
    [
      'with a key on P-521',
      signedCsr({ spki: p521 }),
      'csr-key-unsupported',
      'CSR public key: curve 1.3.132.0.35 is not supported; use P-256 or P-384',
    ],
    [
      'signed with SHA-1',
      signedCsr({ signatureAlgorithm: sequence(oid('1.2.840.10045.4.1')) }),
      'csr-signature-algorithm-unsupported',
      /sign with ECDSA or RSA/,
    ],
    [
      'whose algorithm is not of its key',
      signedCsr({ signatureAlgorithm: encodeSignatureAlgorithm('sha256WithRSAEncryption') }),
      'csr-malformed',
      'CSR: sha256WithRSAEncryption is not an algorithm of its public key',
    ],
    [
      'with an OCTET STRING for a signature',
      sequence(
        sequence(integer(0), subject, exportPublicKey(publicKey), implicitSetOf(0)),
        algorithm,
        octetString(Buffer.alloc(8)),
      ),
      'csr-malformed',
      /expected bitString/,
    ],
  ])('%s', async (_, der, code, message) => {
    const refused = await refusal(der)
    expect(refused.code).toBe(code)
    expect(refused.message).toMatch(message)
    expect(refused.message).toMatch(/^CSR/)
  })

  it('on creation, when its parts are wrong', () => {
    const san = { oid: extensionOids.subjectAltName, critical: false, value: Buffer.alloc(0) }
    const code = (run: () => unknown) => {
      try {
        run()
      } catch (error) {
        return error instanceof PkiError ? error.code : error
      }
      return undefined
    }
    expect(code(() => createCsr({ privateKey: publicKey }))).toBe('key-invalid')
    expect(code(() => createCsr({ privateKey, commonName: '' }))).toBe('name-invalid')
    expect(code(() => createCsr({ privateKey, extensions: [san] }))).toBe('extension-invalid')
    expect(code(() => createCsr({ privateKey, subjectAltNames: [{ type: 'dns', value: 'a b' }] }))).toBe(
      'subject-alt-name-invalid',
    )
  })
})

describe('a CSR that asks for more than anybody has a use for', () => {
  const { privateKey } = generateKeyPair('P-256')
  const wishes = (count: number) =>
    Array.from({ length: count }, (_, at) => ({
      oid: `1.2.3.${at}`,
      critical: false,
      value: Buffer.alloc(0),
    }))

  it('is refused, so that an answer for each wish stays short', async () => {
    await expect(parseCsr(createCsr({ privateKey, extensions: wishes(32) }))).resolves.toBeDefined()
    await expect(parseCsr(createCsr({ privateKey, extensions: wishes(33) }))).rejects.toMatchObject({
      code: 'csr-malformed',
      message: 'CSR: asks for more than 32 extensions',
    })
  })
})
