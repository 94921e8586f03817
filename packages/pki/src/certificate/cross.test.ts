import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, it } from 'vitest'
import { altered } from '../testing/altered.ts'
import { generateKeyPair, type KeyAlgorithm, keySigner } from '../key/index.ts'
import { defaultProfiles } from '../profile/index.ts'
import { newSerial } from '../serial.ts'
import { pump7, testAuthority, testNow } from '../testing/authority.ts'
import {
  createCrossCertificate,
  createRootCertificate,
  isIssuedBy,
  issueCertificate,
  type Issuer,
} from './index.ts'

let oldRoot: Issuer
let newRoot: Issuer
let issuing: Issuer
beforeAll(async () => {
  ;({ root: oldRoot, issuing } = await testAuthority())
  newRoot = await rootOf('Test Root 2')
})

async function rootOf(commonName: string, algorithm: KeyAlgorithm = 'P-256', now = testNow): Promise<Issuer> {
  const signer = keySigner(generateKeyPair(algorithm).privateKey)
  return {
    certificate: await createRootCertificate({ signer, commonName, serial: newSerial(), now }),
    signer,
  }
}

const cross = (issuer: Issuer, { certificate: subject }: Pick<Issuer, 'certificate'>, now = testNow) =>
  createCrossCertificate({ issuer, subject, serial: newSerial(), now })

describe('a root that is certified by another', () => {
  it('has the name and key of the one and the signature of the other, as node:crypto reads it', async () => {
    const newWithOld = await cross(oldRoot, newRoot)
    const independent = new X509Certificate(newWithOld.der)
    expect(independent.ca).toBe(true)
    expect(independent.subject).toBe('CN=Test Root 2')
    expect(independent.publicKey.equals(newRoot.certificate.publicKey)).toBe(true)
    expect(independent.checkIssued(new X509Certificate(oldRoot.certificate.der))).toBe(true)
    expect(independent.verify(oldRoot.certificate.publicKey)).toBe(true)
    expect(independent.verify(newRoot.certificate.publicKey)).toBe(false)
    expect(newWithOld.subjectKeyId).toBe(newRoot.certificate.subjectKeyId)
    expect(newWithOld.authorityKeyId).toBe(oldRoot.certificate.subjectKeyId)
    expect(newWithOld.keyUsage).toEqual(['keyCertSign', 'cRLSign'])
    expect(newWithOld.basicConstraints).toEqual({ ca: true, pathLength: undefined })
    expect(newWithOld.serial).not.toBe(newRoot.certificate.serial)
  })

  it('leads from a leaf below the one to the other, in both directions', async () => {
    const [newWithOld, oldWithNew] = [await cross(oldRoot, newRoot), await cross(newRoot, oldRoot)]
    const above = await cross(newRoot, issuing)
    expect(isIssuedBy(above, newWithOld) && isIssuedBy(newWithOld, oldRoot.certificate)).toBe(true)
    expect(isIssuedBy(issuing.certificate, oldWithNew) && isIssuedBy(oldWithNew, newRoot.certificate)).toBe(
      true,
    )
  })

  it.each<KeyAlgorithm>(['P-384', 'Ed25519', 'RSA-2048'])(
    'may have a key of another kind: %s',
    async (kind) => {
      const other = await rootOf('Other kind', kind)
      expect(isIssuedBy(await cross(oldRoot, other), oldRoot.certificate)).toBe(true)
      expect(isIssuedBy(await cross(other, oldRoot), other.certificate)).toBe(true)
    },
  )

  it('ends when the first of both does', async () => {
    const later = new Date('2030-01-01T00:00:00Z')
    const young = await rootOf('Younger', 'P-256', later)
    expect((await cross(oldRoot, young, later)).notAfter).toEqual(oldRoot.certificate.notAfter)
    expect((await cross(young, oldRoot, later)).notAfter).toEqual(oldRoot.certificate.notAfter)
  })
})

describe('an issuing CA that is certified again', () => {
  it('keeps name, key, key identifier, pathLenConstraint and end, so that its leaves are valid below both', async () => {
    const again = await cross(newRoot, issuing)
    expect(again.subjectDer).toEqual(issuing.certificate.subjectDer)
    expect(again.publicKeyInfo).toEqual(issuing.certificate.publicKeyInfo)
    expect(again.subjectKeyId).toBe(issuing.certificate.subjectKeyId)
    expect(again.basicConstraints).toEqual({ ca: true, pathLength: 0 })
    expect(again.notAfter).toEqual(issuing.certificate.notAfter)
    const leaf = await issueCertificate({
      profile: defaultProfiles.device,
      issuer: issuing,
      subject: pump7,
      publicKey: generateKeyPair('P-256').publicKey,
      serial: newSerial(),
      now: testNow,
    })
    expect(isIssuedBy(leaf, again) && isIssuedBy(leaf, issuing.certificate)).toBe(true)
    expect(isIssuedBy(again, newRoot.certificate)).toBe(true)
  })
})

describe('what is not certified again', () => {
  const refused = (message: RegExp, code = 'issuance-refused') => ({
    code,
    message: expect.stringMatching(message) as unknown,
  })

  it('is a leaf', async () => {
    const certificate = await issueCertificate({
      profile: defaultProfiles.service,
      issuer: issuing,
      subject: pump7,
      publicKey: generateKeyPair('P-256').publicKey,
      serial: newSerial(),
      now: testNow,
    })
    await expect(cross(newRoot, { certificate })).rejects.toMatchObject(refused(/is not that of a CA/))
  })

  it('is a root whose signature is not its own: nobody proved to have its key', async () => {
    const { certificate } = newRoot
    const claimed = { ...oldRoot.certificate, publicKeyInfo: certificate.publicKeyInfo }
    const forged = { ...claimed, publicKey: certificate.publicKey, subjectKeyId: certificate.subjectKeyId }
    await expect(cross(newRoot, { certificate: forged })).rejects.toMatchObject(
      refused(/a root that did not sign itself/),
    )
  })

  it('is a CA whose key identifier is not made from its key: its leaves would not find the certificate', async () => {
    const certificate = altered(issuing.certificate, { subjectKeyId: '00'.repeat(20) })
    await expect(cross(newRoot, { certificate })).rejects.toMatchObject(
      refused(/another subjectKeyIdentifier/),
    )
  })

  it('is a CA outside of its validity, or of that of the issuer', async () => {
    const { notBefore, notAfter } = issuing.certificate
    await expect(cross(newRoot, issuing, notAfter)).rejects.toMatchObject(refused(/subject: .* expired at/))
    await expect(cross(newRoot, issuing, new Date(notBefore.getTime() - 1))).rejects.toMatchObject(
      refused(/subject: .* is valid from/),
    )
    const late = new Date('2040-01-01T00:00:00Z')
    const young = await rootOf('Younger', 'P-256', late)
    await expect(
      cross(oldRoot, young, new Date(oldRoot.certificate.notAfter.getTime())),
    ).rejects.toMatchObject(refused(/issuer: expired at/))
  })

  it('is a root by itself, and a root by an issuing CA', async () => {
    await expect(cross(oldRoot, oldRoot)).rejects.toMatchObject(
      refused(/must not be the key of the issuer/, 'lint-failed'),
    )
    await expect(cross(issuing, newRoot)).rejects.toMatchObject(
      refused(/cA must be false below an issuer with pathLenConstraint 0/, 'lint-failed'),
    )
  })

  it('is anything by a signer with another key', async () => {
    const issuer = { certificate: newRoot.certificate, signer: oldRoot.signer }
    await expect(cross(issuer, issuing)).rejects.toMatchObject({ code: 'key-mismatch' })
  })
})
