import * as fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import { bitString, explicit, integer, sequence, time, unsignedInteger } from '../der/index.ts'
import { mutated } from '../testing/mutation.ts'
import { PkiError } from '../error.ts'
import { encodeExtensionsAgain } from '../testing/again.ts'
import { encodeSignatureAlgorithm } from '../key/index.ts'
import { encodeName } from '../name/index.ts'
import { defaultProfiles } from '../profile/index.ts'
import { newSerial } from '../serial.ts'
import { pump7, testAuthority, testNow } from '../testing/authority.ts'
import { testKeyPair } from '../testing/key-pair.ts'
import type { Certificate } from './certificate.ts'
import { issueCertificate } from './issue.ts'
import { parseCertificate } from './parse.ts'

const samples: Buffer[] = []

beforeAll(async () => {
  const { root, issuing } = await testAuthority()
  const leaf = await issueCertificate({
    profile: defaultProfiles.service,
    issuer: issuing,
    subject: { ...pump7, dns: ['pump-7.example'], ip: ['::1', '127.0.0.1'] },
    publicKey: testKeyPair('RSA-2048', 'leaf').publicKey,
    serial: newSerial(),
    now: testNow,
    urls: { caIssuers: 'http://ca.example/devices.crt', crl: 'http://ca.example/devices.crl' },
  })
  samples.push(leaf.der, issuing.certificate.der, root.certificate.der)
})

/** Makes the bytes of a certificate from what was understood of it: nothing may have been overlooked. */
function encodeAgain(certificate: Certificate): Buffer {
  const algorithm = encodeSignatureAlgorithm(certificate.signatureAlgorithm)
  const tbs = sequence(
    explicit(0, integer(2)),
    unsignedInteger(Buffer.from(certificate.serial, 'hex')),
    algorithm,
    encodeName(certificate.issuer),
    sequence(time(certificate.notBefore), time(certificate.notAfter)),
    encodeName(certificate.subject),
    encodeKeyAgain(certificate),
    ...(certificate.extensions.length > 0 ? [explicit(3, encodeExtensionsAgain(certificate))] : []),
  )
  return sequence(tbs, algorithm, bitString(certificate.signature))
}

/** The key is imported when it is asked for; one that cannot be is kept as it stands. */
function encodeKeyAgain(certificate: Certificate): Buffer {
  try {
    return certificate.publicKey.export({ format: 'der', type: 'spki' })
  } catch (error) {
    if (error instanceof PkiError) return certificate.publicKeyInfo
    throw error
  }
}

it('the samples of the fuzz run are understood to the last byte', () => {
  for (const sample of samples) expect(encodeAgain(parseCertificate(sample))).toEqual(sample)
})

it('a changed certificate is refused with a PkiError, or understood to the last byte', () => {
  let understood = 0
  fc.assert(
    fc.property(mutated(samples), (der) => {
      let certificate
      try {
        certificate = parseCertificate(der)
      } catch (error) {
        if (error instanceof PkiError) return
        throw error
      }
      understood += 1
      expect(encodeAgain(certificate).toString('hex')).toBe(der.toString('hex'))
    }),
    { numRuns: 20_000 },
  )
  // Were everything refused, the property would say nothing.
  expect(understood).toBeGreaterThan(100)
})
