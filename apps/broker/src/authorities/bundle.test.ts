import type { CaBundle } from '@fleetroot/device-client'
import { createCrossCertificate, newSerial } from '@fleetroot/pki'
import { beforeAll, describe, expect, test } from 'vitest'
import { makeAuthority, type TestAuthority } from '../testing/authority.ts'
import { RegistryServer } from '../testing/registry-server.ts'
import { verifyBundle } from './bundle.ts'

let ours: TestAuthority
let theirs: TestAuthority
let said: CaBundle

beforeAll(async () => {
  ;[ours, theirs] = await Promise.all([makeAuthority(), makeAuthority()])
  const registry = await RegistryServer.start(ours)
  said = registry.bundle()
  await registry.close()
})

const issuers = (devices: string[], services: string[]): CaBundle => ({
  ...said,
  issuers: { devices, services },
})
const verify = (bundle: CaBundle) => verifyBundle(bundle, [ours.root])

describe('a CA bundle', () => {
  test('below a trusted root says whom each CA issues for, its id, and in which trust domain', () => {
    const { issuing, roots, trustDomain } = verify(said)
    expect(issuing.map(({ id, kind, state, certificate }) => [id, kind, state, certificate.pem])).toEqual([
      ['devices', 'devices', 'issuing', ours.devices.certificate.pem],
      ['services', 'services', 'issuing', ours.services.certificate.pem],
    ])
    expect(roots.map(({ pem }) => pem)).toEqual([ours.root.pem])
    expect(trustDomain).toBe('fleet.test')
  })

  test('of another root of the same name is refused', () => {
    const roots = [theirs.root.pem]
    expect(() => verify({ ...said, root: theirs.root.pem, roots })).toThrow(
      'none of its roots is trusted here',
    )
  })

  test('gives nothing to a root that is not trusted here, nor to what that certifies', async () => {
    const subject = ours.devices.certificate
    const cross = await createCrossCertificate({
      issuer: theirs.rootIssuer,
      subject,
      serial: newSerial(),
      now: new Date(),
    })
    const both = { ...said, roots: [ours.root.pem, theirs.root.pem], cross: [cross.pem] }
    const verified = verify(both)
    expect(verified.roots.map(({ pem }) => pem)).toEqual([ours.root.pem])
    expect(verified.cross).toEqual([])
  })

  test('with a CA of another root of the same name is refused', () => {
    const { certificate } = theirs.devices
    expect(() => verify(issuers([certificate.pem], said.issuers.services))).toThrow(
      'CN=Test Devices is not an issuing CA below a trusted root',
    )
  })

  test('with the root as an issuing CA is refused', () => {
    expect(() => verify(issuers([ours.root.pem], said.issuers.services))).toThrow(
      'CN=Test Root is not an issuing CA',
    )
  })

  test('with one CA for devices and services is refused', () => {
    const one = ours.devices.certificate.pem
    const entry = said.authorities.find(({ id }) => id === 'devices')!
    const bundle = {
      ...issuers([one], [ours.services.certificate.pem, one]),
      authorities: [...said.authorities, { ...entry, id: 'services-2', kind: 'services' as const }],
    }
    expect(() => verify(bundle)).toThrow('CN=Test Devices issues for devices and for services')
  })

  test('with a CA that it gives no id is refused', () => {
    const authorities = said.authorities.filter(({ id }) => id !== 'devices')
    expect(() => verify({ ...said, authorities })).toThrow('CN=Test Devices is not among its authorities')
  })
})
