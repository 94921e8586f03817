import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { bitString, contextConstructed, integer, oid, sequence, setOf, tlv } from '../der/index.ts'
import { mutated } from '../testing/mutation.ts'
import { PkiError } from '../error.ts'
import { encodeExtensionsAgain } from '../testing/again.ts'
import {
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  extensionOids,
} from '../extension/index.ts'
import { encodeSignatureAlgorithm } from '../key/index.ts'
import { encodeName } from '../name/index.ts'
import { createCsr } from './create.ts'
import type { Csr } from './csr.ts'
import { readCsr } from './parse.ts'
import { testKeyPair } from '../testing/key-pair.ts'

const samples = (['P-256', 'Ed25519', 'RSA-2048'] as const).map((algorithm) =>
  createCsr({
    privateKey: testKeyPair(algorithm, 'leaf').privateKey,
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
    return sequence(oid(type), setOf(...(isRequest ? [encodeExtensionsAgain(csr)] : values)))
  })
  const spki = csr.publicKey.export({ format: 'der', type: 'spki' })
  const info = sequence(integer(0), encodeName(csr.subject), spki, tlv(contextConstructed(0), ...attributes))
  return sequence(info, encodeSignatureAlgorithm(csr.signatureAlgorithm), bitString(csr.signature))
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
