import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import { generateKeyPair, keySigner } from '../key/index.ts'
import { formatName } from '../name/index.ts'
import { newSerial } from '../serial.ts'
import { testAuthority, testNow } from '../testing/authority.ts'
import { createIssuingCertificate, createRootCertificate, describeCertificate, type Issuer } from './index.ts'

let root: Issuer
let issuing: Issuer
beforeAll(async () => {
  ;({ root, issuing } = await testAuthority())
})

const options = { commonName: 'Further', serial: newSerial(), now: testNow }

describe('a root', () => {
  it('signs itself, may sign CAs and CRLs, and lasts twenty years', () => {
    const { certificate } = root
    const independent = new X509Certificate(certificate.der)
    expect(independent.ca).toBe(true)
    expect(independent.verify(certificate.publicKey)).toBe(true)
    expect(formatName(certificate.subject)).toBe('CN=Test Root,O=Fleetroot')
    expect(certificate.issuerDer).toEqual(certificate.subjectDer)
    expect(certificate.keyUsage).toEqual(['keyCertSign', 'cRLSign'])
    expect(certificate.extendedKeyUsage).toBeUndefined()
    expect(certificate.subjectAltNames).toEqual([])
    expect(certificate.authorityKeyId).toBe(certificate.subjectKeyId)
    expect(certificate.notBefore.toISOString()).toBe('2026-11-20T11:00:00.000Z')
    expect(certificate.notAfter.toISOString()).toBe('2046-11-15T12:00:00.000Z')
  })

  it('needs a name', async () => {
    const { signer } = root
    await expect(createRootCertificate({ ...options, signer, commonName: '' })).rejects.toMatchObject({
      code: 'name-invalid',
    })
  })
})

describe('an issuing CA', () => {
  it('is signed by the root, may sign leaves only, and lasts ten years', () => {
    const { certificate } = issuing
    const independent = new X509Certificate(certificate.der)
    expect(independent.checkIssued(new X509Certificate(root.certificate.der))).toBe(true)
    expect(independent.verify(root.certificate.publicKey)).toBe(true)
    expect(certificate.basicConstraints).toEqual({ ca: true, pathLength: 0 })
    expect(certificate.keyUsage).toEqual(['keyCertSign', 'cRLSign'])
    expect(certificate.extendedKeyUsage).toBeUndefined()
    expect(certificate.notAfter.toISOString()).toBe('2036-11-17T12:00:00.000Z')
  })

  it('has no name constraints', () => {
    expect(issuing.certificate.extensions.map(({ oid }) => oid)).not.toContain('2.5.29.30')
  })

  it('never lasts longer than the root', async () => {
    const now = new Date('2040-01-01T00:00:00Z')
    const { publicKey } = generateKeyPair('P-256')
    const certificate = await createIssuingCertificate({ ...options, issuer: root, publicKey, now })
    expect(certificate.notAfter).toEqual(root.certificate.notAfter)
  })

  it('cannot make a CA below itself', async () => {
    const { publicKey } = generateKeyPair('P-256')
    await expect(createIssuingCertificate({ ...options, issuer: issuing, publicKey })).rejects.toMatchObject({
      code: 'lint-failed',
      message: expect.stringMatching(/cA must be false below an issuer with pathLenConstraint 0/) as unknown,
    })
  })

  it('cannot have the key of the root', async () => {
    const { publicKey } = root.signer
    await expect(createIssuingCertificate({ ...options, issuer: root, publicKey })).rejects.toMatchObject({
      code: 'lint-failed',
    })
  })

  it('cannot be signed with a key that is not the root', async () => {
    const { publicKey, privateKey } = generateKeyPair('P-256')
    const issuer = { certificate: root.certificate, signer: keySigner(privateKey) }
    await expect(createIssuingCertificate({ ...options, issuer, publicKey })).rejects.toMatchObject({
      code: 'key-mismatch',
    })
  })
})

describe('the description of a CA', () => {
  it('says what a human asks first, one fact to a line', () => {
    const { certificate } = issuing
    expect(describeCertificate(certificate).split('\n')).toEqual([
      'subject       CN=Test Devices,O=Fleetroot',
      'issuer        CN=Test Root,O=Fleetroot',
      `serial        ${certificate.serial}`,
      'valid from    2026-11-20T11:00:00.000Z',
      'valid until   2036-11-17T12:00:00.000Z',
      'authority     yes, at most 0 further below',
      'key usage     keyCertSign, cRLSign',
      'key           P-256',
      `key id        ${certificate.subjectKeyId}`,
      `issuer key id ${root.certificate.subjectKeyId}`,
      'signed with   ecdsa-with-SHA256',
      `SHA-256       ${certificate.fingerprint256}`,
    ])
  })

  it('lets nothing through to a terminal that a certificate could have in its names', () => {
    const names = [{ type: 'dns', value: 'a\u001B[31m\nserial 1\u0000' } as const]
    const text = describeCertificate(altered(issuing.certificate, { subjectAltNames: names }))
    expect(text).toContain(String.raw`names         dns a\u001b[31m\u000aserial 1\u0000`)
  })
})
