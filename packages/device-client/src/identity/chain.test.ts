import {
  createIssuingCertificate,
  createRootCertificate,
  defaultProfiles,
  generateKeyPair,
  issueCertificate,
  keySigner,
  newSerial,
  parseDeviceId,
} from '@fleetroot/pki'
import { beforeAll, describe, expect, it } from 'vitest'

import { type Authority, createAuthority, type Leaf } from '../testing/authority.ts'
import { buildChain } from './chain.ts'

let authority: Authority
let device: Leaf

beforeAll(async () => {
  authority = await createAuthority()
  device = await authority.device('dev-1')
})

const code = (value: string) => expect.objectContaining({ code: value })

describe('the chain of a certificate', () => {
  it('leads over the issuing CA to the pinned root, whatever else the server offered', () => {
    const chain = buildChain(device.certificate, {
      issuers: authority.all,
      trust: [authority.root],
      now: new Date(),
    })
    expect(chain).toEqual([authority.devices.certificate])
  })

  it('is empty when the issuing CA itself is pinned', () => {
    const trust = [authority.devices.certificate]
    expect(buildChain(device.certificate, { issuers: [], trust, now: new Date() })).toEqual([])
  })

  it('is refused when the issuing CA is missing', () => {
    const material = { issuers: [authority.services.certificate], trust: [authority.root], now: new Date() }
    expect(() => buildChain(device.certificate, material)).toThrow(code('certificate-untrusted'))
  })

  it('is refused when names agree and keys do not', async () => {
    const fake = await createAuthority()
    const material = { issuers: fake.all, trust: [authority.root], now: new Date() }
    expect(() => buildChain(device.certificate, material)).toThrow(code('certificate-untrusted'))
  })

  it('is refused below a CA that a CA with pathLenConstraint 0 made', async () => {
    const now = new Date()
    const { privateKey, publicKey } = generateKeyPair('P-256')
    // pki refuses to sign this, so the CA's key signs under a twin certificate of its own without the constraint.
    const { signer } = authority.devices
    const twin = await createRootCertificate({ signer, commonName: 'Test Devices', serial: newSerial(), now })
    const hidden = await createIssuingCertificate({
      issuer: { certificate: twin, signer },
      publicKey,
      commonName: 'Hidden',
      serial: newSerial(),
      now,
    })
    const leaf = await issueCertificate({
      profile: defaultProfiles.device,
      issuer: { certificate: hidden, signer: keySigner(privateKey) },
      subject: { id: parseDeviceId('dev-1'), trustDomain: 'fleet.test' },
      publicKey: device.certificate.publicKey,
      serial: newSerial(),
      now,
    })
    const material = { issuers: [...authority.all, hidden], trust: [authority.root], now }
    expect(() => buildChain(leaf, material)).toThrow(code('certificate-untrusted'))
    // Only the constraint stands in the way.
    expect(buildChain(leaf, { ...material, trust: [twin] })).toEqual([hidden])
  })

  it('is refused before the certificate begins and from the moment it ends', () => {
    const { notBefore, notAfter } = device.certificate
    const at = (now: Date) => () =>
      buildChain(device.certificate, { issuers: authority.all, trust: [authority.root], now })
    expect(at(new Date(notBefore.getTime() - 1))).toThrow(code('certificate-not-valid-now'))
    expect(at(notBefore)).not.toThrow()
    expect(at(notAfter)).toThrow(code('certificate-not-valid-now'))
  })
})
