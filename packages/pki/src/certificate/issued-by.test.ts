import { beforeAll, describe, expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import { type KeyAlgorithm, keyAlgorithms, keySigner } from '../key/index.ts'
import { defaultProfiles } from '../profile/defaults.ts'
import { newSerial } from '../serial.ts'
import { pump7, testAuthority, testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import {
  type Certificate,
  createRootCertificate,
  isIssuedBy,
  issueCertificate,
  type Issuer,
} from './index.ts'

const leafBelow = async (issuer: Issuer): Promise<Certificate> =>
  issueCertificate({
    profile: defaultProfiles.device,
    issuer,
    subject: pump7,
    publicKey: testKeyPair('P-256', 'leaf').publicKey,
    serial: newSerial(),
    now: testNow,
  })

describe.each<KeyAlgorithm>([...keyAlgorithms])('below a CA with a %s key', (algorithm) => {
  it('each certificate is issued by the next, the root by itself, and by nobody else', async () => {
    const { root, issuing } = await testAuthority(algorithm)
    const chain = [await leafBelow(issuing), issuing.certificate, root.certificate]
    const table = chain.map((certificate) => chain.map((issuer) => isIssuedBy(certificate, issuer)))
    expect(table).toEqual([
      [false, true, false],
      [false, false, true],
      [false, false, true],
    ])
  })
})

describe('a certificate is not issued by', () => {
  let issuing: Issuer
  let leaf: Certificate
  beforeAll(async () => {
    ;({ issuing } = await testAuthority())
    leaf = await leafBelow(issuing)
  })

  it('a CA of the same name, or of the same name and key identifier, with another key', async () => {
    const signer = keySigner(testKeyPair('P-256', 'another').privateKey)
    const options = { signer, commonName: 'Test Devices', organization: 'Fleetroot', now: testNow }
    const twin = await createRootCertificate({ ...options, serial: newSerial() })
    expect(twin.subjectDer).toEqual(leaf.issuerDer)
    expect(isIssuedBy(leaf, twin)).toBe(false)
    expect(isIssuedBy(leaf, { ...twin, subjectKeyId: leaf.authorityKeyId })).toBe(false)
  })

  it('a CA with the same key under another name', async () => {
    const options = { signer: issuing.signer, commonName: 'Renamed', now: testNow }
    const renamed = await createRootCertificate({ ...options, serial: newSerial() })
    expect(isIssuedBy(leaf, renamed)).toBe(false)
  })

  it.each([
    ['is no CA', { basicConstraints: { ca: false, pathLength: undefined } }],
    ['does not say that it is a CA', { basicConstraints: undefined }],
    ['may sign CRLs only', { keyUsage: ['cRLSign'] }],
    ['has another key identifier', { subjectKeyId: '00' }],
    ['has a key that cannot be verified with', { publicKey: testKeyPair('Ed25519', 'x').publicKey }],
  ] as const)('the same certificate if it %s', (_, change) => {
    expect(isIssuedBy(leaf, issuing.certificate)).toBe(true)
    expect(isIssuedBy(leaf, altered(issuing.certificate, change))).toBe(false)
  })

  it('an issuer whose key node:crypto cannot read, without a throw', () => {
    const unreadable = Object.defineProperty(altered(issuing.certificate, {}), 'publicKey', {
      get: () => {
        throw new Error('unsupported')
      },
    })
    expect(isIssuedBy(leaf, unreadable)).toBe(false)
  })

  it('its issuer, once a bit of its content or of its signature is another', () => {
    const flip = (bytes: Buffer) => Buffer.from(bytes.map((octet, i) => (i === 40 ? octet ^ 1 : octet)))
    expect(isIssuedBy(altered(leaf, { tbs: flip(leaf.tbs) }), issuing.certificate)).toBe(false)
    expect(isIssuedBy(altered(leaf, { signature: flip(leaf.signature) }), issuing.certificate)).toBe(false)
  })

  it('a key identifier that is missing on one side says nothing', () => {
    expect(isIssuedBy(altered(leaf, { authorityKeyId: undefined }), issuing.certificate)).toBe(true)
    const { publicKey } = issuing.certificate
    expect(isIssuedBy(leaf, altered(issuing.certificate, { publicKey, subjectKeyId: undefined }))).toBe(true)
  })
})
