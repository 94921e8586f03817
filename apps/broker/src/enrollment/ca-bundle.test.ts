import { beforeAll, describe, expect, test } from 'vitest'
import { makeAuthority, type TestAuthority } from '../testing/authority.ts'
import { verifyBundle } from './ca-bundle.ts'

let ours: TestAuthority
let theirs: TestAuthority

beforeAll(async () => {
  ;[ours, theirs] = await Promise.all([makeAuthority(), makeAuthority()])
})

const bundleOf = (authority: TestAuthority, devices: string[], services: string[]) => ({
  root: authority.root.pem,
  roots: [authority.root.pem],
  cross: [],
  authorities: [],
  issuers: { devices, services },
  trustDomain: 'fleet.test',
})

describe('a CA bundle', () => {
  test('below the pinned root says whom each CA issues for, and in which trust domain', () => {
    const bundle = bundleOf(ours, [ours.devices.certificate.pem], [ours.services.certificate.pem])
    const issuers = verifyBundle(bundle, ours.root.pem)
    expect(issuers.devices.map(({ pem }) => pem)).toEqual([ours.devices.certificate.pem])
    expect(issuers.services.map(({ pem }) => pem)).toEqual([ours.services.certificate.pem])
    expect(issuers.trustDomain).toBe('fleet.test')
  })

  test('of another root of the same name is refused', () => {
    const bundle = bundleOf(theirs, [theirs.devices.certificate.pem], [theirs.services.certificate.pem])
    expect(() => verifyBundle(bundle, ours.root.pem)).toThrow('its root is not the one that is pinned here')
  })

  test('with a CA of another root of the same name is refused', () => {
    const bundle = bundleOf(ours, [theirs.devices.certificate.pem], [ours.services.certificate.pem])
    expect(() => verifyBundle(bundle, ours.root.pem)).toThrow(
      'CN=Test Devices is not an issuing CA below the pinned root',
    )
  })

  test('with the root as an issuing CA is refused', () => {
    const bundle = bundleOf(ours, [ours.root.pem], [ours.services.certificate.pem])
    expect(() => verifyBundle(bundle, ours.root.pem)).toThrow('CN=Test Root is not an issuing CA')
  })

  test('with one CA for devices and services is refused', () => {
    const one = ours.devices.certificate.pem
    expect(() =>
      verifyBundle(bundleOf(ours, [one], [ours.services.certificate.pem, one]), ours.root.pem),
    ).toThrow('CN=Test Devices issues for devices and for services')
  })
})
