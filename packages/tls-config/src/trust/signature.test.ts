import {
  createRootCertificate,
  generateKeyPair,
  type KeyAlgorithm,
  keySigner,
  newSerial,
} from '@fleetroot/pki'
import type { Issuer } from '@fleetroot/pki'
import { expect, test } from 'vitest'
import { unusualCertificate } from '../testing/unusual-certificate.ts'
import { isSignedBy } from './signature.ts'

async function createCa(algorithm: KeyAlgorithm): Promise<Issuer> {
  const signer = keySigner(generateKeyPair(algorithm).privateKey)
  const names = { commonName: 'Devices', serial: newSerial(), now: new Date() }
  return { signer, certificate: await createRootCertificate({ signer, ...names }) }
}

test.each<KeyAlgorithm>(['P-256', 'P-384', 'Ed25519', 'RSA-2048'])(
  'a signature by a %s key is told from a forged one',
  async (algorithm) => {
    const ca = await createCa(algorithm)
    const genuine = await unusualCertificate(ca, {})
    const forged = await unusualCertificate(ca, { forged: true })
    expect(isSignedBy(genuine.certificate, ca.certificate)).toBe(true)
    expect(isSignedBy(forged.certificate, ca.certificate)).toBe(false)
  },
)
