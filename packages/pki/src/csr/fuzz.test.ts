import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { bitString, implicit, implicitSetOf, integer, oid, sequence, setOf } from '../der/index.ts'
import { mutated } from '../der/mutation.test-support.ts'
import { PkiError } from '../error.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeExtension,
  encodeKeyUsage,
  extensionOids,
} from '../extension/index.ts'
import { encodeSignatureAlgorithm, generateKeyPair } from '../key/index.ts'
import { encodeName, parseIpAddress, type SubjectAltName } from '../name/index.ts'
import { createCsr } from './create.ts'
import type { Csr, RequestedExtensions } from './csr.ts'
import { readCsr } from './parse.ts'

const samples = (['P-256', 'Ed25519', 'RSA-2048'] as const).map((algorithm) =>
  createCsr({
    privateKey: generateKeyPair(algorithm).privateKey,
    commonName: 'pump-7',
    subjectAltNames: [
      { type: 'uri', value: 'spiffe://fleet.example/device/pump-7' },
      { type: 'dns', value: 'pump-7.example' },
      { type: 'ip', value: '::1' },
      { type: 'other', value: 'a4023000' },
    ],
    challengePassword: 'secret',
    extensions: [
      {
        oid: extensionOids.basicConstraints,
        critical: true,
        value: encodeBasicConstraints({ ca: true, pathLength: 1 }),
      },
      {
        oid: extensionOids.keyUsage,
        critical: true,
        value: encodeKeyUsage(['digitalSignature', 'decipherOnly']),
      },
      {
        oid: extensionOids.extendedKeyUsage,
        critical: false,
        value: encodeExtendedKeyUsage(['clientAuth', '1.2.3']),
      },
    ],
  }),
)

/** Makes the bytes of a CSR from what was understood of it: nothing may have been overlooked or tolerated. */
function encodeAgain(csr: Csr): Buffer {
  const attributes = csr.attributes.map(({ type, values }) => {
    const isRequest = csr.extensions.length > 0 && type === '1.2.840.113549.1.9.14'
    return sequence(oid(type), setOf(...(isRequest ? [encodeRequest(csr)] : values)))
  })
  const spki = csr.publicKey.export({ format: 'der', type: 'spki' })
  const info = sequence(integer(0), encodeName(csr.subject), spki, implicitSetOf(0, ...attributes))
  return sequence(info, encodeSignatureAlgorithm(csr.signatureAlgorithm), bitString(csr.signature))
}

function encodeRequest(request: RequestedExtensions): Buffer {
  const meaning = new Map<string, Buffer>()
  if (request.basicConstraints)
    meaning.set(extensionOids.basicConstraints, encodeBasicConstraints(request.basicConstraints))
  if (request.keyUsage) meaning.set(extensionOids.keyUsage, encodeKeyUsage(request.keyUsage))
  if (request.extendedKeyUsage)
    meaning.set(extensionOids.extendedKeyUsage, encodeExtendedKeyUsage(request.extendedKeyUsage))
  if (request.subjectAltNames.length > 0) {
    meaning.set(extensionOids.subjectAltName, sequence(...request.subjectAltNames.map(encodeAltName)))
  }
  return sequence(
    ...request.extensions.map((extension) => {
      return encodeExtension({ ...extension, value: meaning.get(extension.oid) ?? extension.value })
    }),
  )
}

// The reader keeps names that the writer would not make, so the writer cannot be asked.
function encodeAltName({ type, value }: SubjectAltName): Buffer {
  if (type === 'other') return Buffer.from(value, 'hex')
  if (type === 'ip') return implicit(7, parseIpAddress(value))
  return implicit({ email: 1, dns: 2, uri: 6 }[type], Buffer.from(value, 'latin1'))
}

it('the samples of the fuzz run are understood to the last byte', () => {
  for (const sample of samples) expect(encodeAgain(readCsr(sample))).toEqual(sample)
})

it('a changed CSR is refused with a PkiError, or understood to the last byte', () => {
  let understood = 0
  fc.assert(
    fc.property(mutated(samples), (der) => {
      let csr
      try {
        csr = readCsr(der)
      } catch (error) {
        // Any other exception is a bug, and fast-check prints the seed that finds it again.
        if (error instanceof PkiError && error.code.startsWith('csr-')) return
        throw error
      }
      understood += 1
      expect(encodeAgain(csr).toString('hex')).toBe(der.toString('hex'))
    }),
    { numRuns: 20_000 },
  )
  // Were everything refused, the property would say nothing.
  expect(understood).toBeGreaterThan(100)
})

it('random bytes are refused with a PkiError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(() => readCsr(bytes)).toThrow(PkiError)
    }),
    { numRuns: 2000 },
  )
})
