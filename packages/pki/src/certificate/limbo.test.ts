import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { PkiError } from '../error.ts'
import type { SubjectAltName } from '../name/index.ts'
import { purposeOid } from '../profile/index.ts'
import { type Certificate, describeCertificate, parseCertificate } from './index.ts'

/** x509-limbo (trailofbits): the vectors lie beside the repository and are not needed to build it. */
const vectors = join(import.meta.dirname, '../../../../../shared/vectors/x509-limbo.json')

interface Limbo {
  testcases: {
    id: string
    trusted_certs: string[]
    untrusted_intermediates: string[]
    peer_certificate: string
  }[]
}

/** Every certificate once, with the case that it first occurs in. */
function readVectors(): Map<string, string> {
  const certificates = new Map<string, string>()
  const { testcases } = JSON.parse(readFileSync(vectors, 'utf8')) as Limbo
  for (const { id, trusted_certs, untrusted_intermediates, peer_certificate } of testcases) {
    for (const pem of [...trusted_certs, ...untrusted_intermediates, peer_certificate]) {
      if (!certificates.has(pem)) certificates.set(pem, id)
    }
  }
  return certificates
}

function parse(pem: string): Certificate | PkiError {
  try {
    return parseCertificate(pem)
  } catch (error) {
    if (error instanceof PkiError) return error
    throw error
  }
}

/** The names as node:crypto prints them, where that is unambiguous. */
function asNodePrints({ type, value }: SubjectAltName): string | undefined {
  if (type === 'dns') return `DNS:${value}`
  if (type === 'uri') return `URI:${value}`
  if (type === 'email') return `email:${value}`
  return undefined
}

describe.skipIf(!existsSync(vectors))('the certificates of x509-limbo', () => {
  const certificates = existsSync(vectors) ? readVectors() : new Map<string, string>()

  it('are parsed or refused with a PkiError, each time the same ones', () => {
    const refused = new Map<string, string[]>()
    let parsed = 0
    for (const [pem, id] of certificates) {
      const result = parse(pem)
      if (result instanceof PkiError) refused.set(result.code, [...(refused.get(result.code) ?? []), id])
      else parsed += 1
    }
    expect({ parsed, of: certificates.size }).toEqual({ parsed: 902, of: 918 })
    expect(Object.fromEntries(refused)).toEqual({
      'certificate-malformed': ['rfc5280::mismatching-signature-algorithm', 'webpki::v1-cert'],
      'der-invalid': expect.arrayContaining([
        'rfc5280::eku::ee-eku-empty',
        'rfc5280::nc::nc-permits-invalid-ip-san',
        'rfc5280::san::malformed',
        'rfc5280::serial::negative',
        'rfc5280::serial::zero',
        'webpki::malformed-aia',
        'webpki::san::unicode-emoji-san',
      ]) as unknown,
      'der-too-large': ['pathological::nc-dos-1'],
      'extension-invalid': expect.arrayContaining([
        'rfc5280::duplicate-extensions',
        'rfc5280::root-inconsistent-ca-extensions',
      ]) as unknown,
      'serial-invalid': ['rfc5280::serial::too-long'],
      'signature-algorithm-unsupported': ['webpki::forbidden-dsa-root', 'webpki::forbidden-dsa-root'],
    })
  })

  it('have the facts that node:crypto reads in them', () => {
    for (const [pem, id] of certificates) {
      const certificate = parse(pem)
      if (certificate instanceof PkiError) continue
      const node = new X509Certificate(pem)
      const printed = node.subjectAltName ?? ''
      const facts = {
        id,
        serial: certificate.serial,
        notBefore: certificate.notBefore,
        notAfter: certificate.notAfter,
        fingerprint: certificate.fingerprint256,
        // OpenSSL's word for a CA: a keyUsage, where there is one, must agree.
        ca:
          certificate.basicConstraints?.ca === true &&
          certificate.keyUsage?.includes('keyCertSign') !== false,
        purposes: certificate.extendedKeyUsage?.map((purpose) => purposeOid(purpose)),
        namesMissing: certificate.subjectAltNames
          .map(asNodePrints)
          .filter((name) => name !== undefined && !printed.includes(name) && !printed.includes('"')),
      }
      expect(facts).toEqual({
        id,
        serial: node.serialNumber.toLowerCase(),
        notBefore: node.validFromDate,
        notAfter: node.validToDate,
        fingerprint: node.fingerprint256.replaceAll(':', '').toLowerCase(),
        ca: node.ca,
        purposes: node.keyUsage,
        namesMissing: [],
      })
    }
  })

  it('have the keys that node:crypto reads in them, or keys that are refused when they are read', () => {
    const refused: string[] = []
    for (const [pem, id] of certificates) {
      const certificate = parse(pem)
      if (certificate instanceof PkiError) continue
      let key
      try {
        key = certificate.publicKey
      } catch (error) {
        expect(error).toBeInstanceOf(PkiError)
        refused.push(id)
        continue
      }
      expect(new X509Certificate(pem).publicKey.equals(key)).toBe(true)
    }
    expect([...new Set(refused)].toSorted()).toEqual([
      'invalid::invalid-issuer-key',
      'webpki::explicit-curve',
      'webpki::forbidden-dsa-leaf',
      'webpki::forbidden-p192-leaf',
      'webpki::forbidden-p192-root',
    ])
  })

  it('can all be described in printable characters', () => {
    for (const pem of certificates.keys()) {
      const certificate = parse(pem)
      if (certificate instanceof PkiError) continue
      expect(describeCertificate(certificate)).toMatch(/^[^\p{C}]+(\n[^\p{C}]+)*$/u)
    }
  })
})
