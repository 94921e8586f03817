import { once } from 'node:events'
import { TLSSocket } from 'node:tls'
import { Duplex } from 'node:stream'
import { defaultProfiles, nameOf } from '@fleetroot/pki'
import type { IdentityRefusalCode, Name } from '@fleetroot/pki'
import { beforeAll, describe, expect, test } from 'vitest'
import { clientTlsOptions } from '../options/client.ts'
import { serverTlsOptions } from '../options/server.ts'
import type { KeyAndCertificate } from '../options/protocol.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet, Leaf } from '../testing/fleet.ts'
import { handshake } from '../testing/handshake.ts'
import { unusualCertificate } from '../testing/unusual-certificate.ts'
import { peerIdentity } from './identity.ts'
import type { PeerTrust } from './identity.ts'

const HOUR_MS = 3_600_000

let fleet: Fleet
let server: Leaf
beforeAll(async () => {
  fleet = await createFleet()
  server = await fleet.issueServer()
})

function listen(clientCertificate: 'required' | 'optional' = 'optional', trust = fleet.trust) {
  return serverTlsOptions({ identity: server, trust, mode: 'compatible', clientCertificate })
}

/** What the gate says about a client that shows this certificate, on a listener that lets everybody in. */
async function seen(identity?: KeyAndCertificate, judge: PeerTrust = fleet.peerTrust(), trust = fleet.trust) {
  const client = clientTlsOptions({ trust: fleet.trust, mode: 'compatible', ...(identity && { identity }) })
  const { seen } = await handshake(listen('optional', trust), client, (socket) => peerIdentity(socket, judge))
  return seen
}

describe('an identity', () => {
  test.each(['required', 'optional'] as const)(
    'is what the certificate says, where one is %s',
    async (mode) => {
      const leaf = await fleet.issue({ id: 'pump-7' })
      const client = clientTlsOptions({ trust: fleet.trust, mode: 'compatible', identity: leaf })
      const { seen } = await handshake(listen(mode), client, (socket) =>
        peerIdentity(socket, fleet.peerTrust()),
      )
      expect(seen).toEqual({
        kind: 'identity',
        id: 'pump-7',
        role: 'device',
        trustDomain: 'fleet.example',
        serial: leaf.certificate.serial,
        issuer: 'CN=Test Devices',
        issuerKeyId: fleet.devices.certificate.subjectKeyId,
        notAfter: leaf.certificate.notAfter,
        resumed: false,
        tlsVersion: 'TLSv1.3',
        group: 'X25519MLKEM768',
        certificate: expect.objectContaining({ fingerprint256: leaf.certificate.fingerprint256 }),
      })
    },
  )

  test.each(['service', 'operator', 'claim'] as const)(
    'has the role %s from the Services CA',
    async (role) => {
      const leaf = await fleet.issue({ profile: defaultProfiles[role] })
      expect(await seen(leaf)).toMatchObject({ kind: 'identity', role })
    },
  )

  test('needs no signature check of its own where every anchor is ours', async () => {
    const judge = { ...fleet.peerTrust(), onlyOwnAnchors: true }
    expect(await seen(await fleet.issue(), judge)).toMatchObject({ kind: 'identity' })
  })
})

describe('no identity', () => {
  test('no certificate: none, which is not a refusal', async () => {
    expect(await seen()).toEqual({ kind: 'none' })
  })

  test('a self-signed certificate', async () => {
    const selfSigned = await unusualCertificate('self', named('dev-1'))
    expect(await seen(selfSigned)).toMatchObject({ kind: 'refused', code: 'unknown-authority' })
  })

  test('a fake fleet of the same names', async () => {
    const fake = await createFleet()
    expect(await seen(await fake.issue())).toMatchObject({ kind: 'refused', code: 'unknown-authority' })
  })

  test('a forged signature', async () => {
    const forged = await unusualCertificate(fleet.devices, { ...named('dev-1'), forged: true })
    expect(await seen(forged)).toMatchObject({ kind: 'refused', code: 'fake-authority' })
  })

  test('an expired certificate has a code of its own', async () => {
    const expired = await fleet.issue({ at: new Date('2026-01-01T00:00:00Z') })
    expect(await seen(expired)).toEqual({
      kind: 'refused',
      code: 'certificate-expired',
      detail:
        "The client's certificate or that of a CA above it has expired: renew it, and check the clocks of both machines.",
      expired: expect.objectContaining({ id: 'dev-1', role: 'device', serial: expired.certificate.serial }),
    })
  })

  test('a certificate of another trust domain, though our own CA issued it', async () => {
    const leaf = await fleet.issue({ id: 'pump-7' })
    const judge = { ...fleet.peerTrust(), trustDomain: 'other.example' }
    expect(await seen(leaf, judge)).toEqual({
      kind: 'refused',
      code: 'trust-domain-other',
      detail: 'the certificate is for the trust domain fleet.example, and this is other.example',
    })
  })

  test.each([
    ['forged', { forged: true }, 'fake-authority'],
    ['for servers', { extendedKeyUsage: ['serverAuth'] }, 'wrong-purpose'],
    ['without a name', { subjectAltNames: [] }, 'spiffe-uri-missing'],
    ['an operator', named('dev-1', 'operator'), 'role-not-allowed'],
    ['of another trust domain', named('dev-1', 'device', 'other.example'), 'trust-domain-other'],
  ])('an expired certificate that is also %s is not taken for merely expired', async (_, flaw, code) => {
    const past = { notBefore: new Date(Date.now() - 2 * HOUR_MS), notAfter: new Date(Date.now() - HOUR_MS) }
    const certificate = await unusualCertificate(fleet.devices, { ...named('dev-1'), ...past, ...flaw })
    const refusal = await seen(certificate)
    expect(refusal).toMatchObject({ kind: 'refused', code })
    expect(refusal).not.toHaveProperty('expired')
  })

  test('a certificate that is not yet valid, by the clock that the caller gives', async () => {
    const early = new Date(Date.now() - 2 * HOUR_MS)
    const leaf = await fleet.issue()
    expect(await seen(leaf, fleet.peerTrust(early))).toMatchObject({ code: 'certificate-not-yet-valid' })
  })

  test.each([1, 9])(
    'a certificate of an issuing CA that has expired, itself good for %i h',
    async (hours) => {
      const ca = { subject: nameOf({ commonName: 'Old Devices' }), ca: {} }
      const old = await unusualCertificate(fleet.root, ca)
      const notAfter = new Date(Date.now() + hours * HOUR_MS)
      const leaf = await unusualCertificate(old, { ...named('dev-1'), notAfter })
      const issuers = [{ certificate: old.certificate, roles: ['device'] as const }]
      const now = new Date(Date.now() + 2 * HOUR_MS)
      expect(await seen(leaf, { ...fleet.peerTrust(now), issuers })).toMatchObject({
        kind: 'refused',
        code: 'issuer-expired',
      })
    },
  )

  test('a certificate below an issuing CA that has expired by the clock of OpenSSL', async () => {
    const ca = {
      subject: nameOf({ commonName: 'Old Devices' }),
      ca: {},
      notAfter: new Date(Date.now() - 1_000),
    }
    const old = await unusualCertificate(fleet.root, ca)
    const leaf = await unusualCertificate(old, named('dev-1'))
    const issuers = [{ certificate: old.certificate, roles: ['device'] as const }]
    const now = new Date(Date.now() - HOUR_MS / 2)
    expect(await seen(leaf, { ...fleet.peerTrust(now), issuers })).toMatchObject({
      kind: 'refused',
      code: 'issuer-expired',
    })
  })

  test('the role device from the Services CA', async () => {
    const leaf = await unusualCertificate(fleet.services, named('dev-1'))
    expect(await seen(leaf)).toEqual({
      kind: 'refused',
      code: 'role-not-allowed',
      detail: 'CN=Test Services may not issue the role device',
    })
  })

  test('a trusted CA that is not on the list of issuers', async () => {
    const other = await unusualCertificate(fleet.root, { subject: nameOf({ commonName: 'Other' }), ca: {} })
    const leaf = await unusualCertificate(other, named('dev-1'))
    expect(await seen(leaf)).toMatchObject({ kind: 'refused', code: 'unknown-authority' })
  })

  test('what OpenSSL refuses, though its issuer is on the list: the root is not an anchor of the listener', async () => {
    const foreign = await createFleet()
    const leaf = await fleet.issue()
    const refused = { kind: 'refused', code: 'unknown-authority' }
    expect(await seen(leaf, fleet.peerTrust(), foreign.trust)).toMatchObject(refused)
  })

  test('an issuing CA that copies name and key identifier, under another trusted root', async () => {
    const foreign = await createFleet()
    const { subjectKeyId = '', subject } = fleet.devices.certificate
    const copy = await unusualCertificate(foreign.root, { subject, subjectKeyId, ca: {} })
    const leaf = await unusualCertificate(copy, named('dev-1'))
    const trust = [...fleet.trust, ...foreign.trust]
    expect(await seen(leaf, fleet.peerTrust(), trust)).toMatchObject({
      kind: 'refused',
      code: 'fake-authority',
    })
  })

  test('a certificate that does not say it is for clients', async () => {
    const leaf = await unusualCertificate(fleet.devices, { ...named('dev-1'), extendedKeyUsage: [] })
    expect(await seen(leaf)).toMatchObject({ kind: 'refused', code: 'wrong-purpose' })
  })

  test.each<[string, IdentityRefusalCode, Name]>([
    ['two CNs', 'common-name-duplicate', [...cn('dev-1'), ...cn('dev-2')]],
    ['two CNs in one RDN', 'name-multi-valued', [[...cn('dev-1'), ...cn('dev-2')].flat()]],
    ['a NUL in the CN', 'common-name-not-device-id', cn('dev-1\0.evil')],
    ['a line feed in the CN', 'common-name-not-device-id', cn('dev-1\n')],
    ['a Cyrillic letter in the CN', 'common-name-not-device-id', cn('d\u0435v-1')],
    ['a topic wildcard for a CN', 'common-name-not-device-id', cn('+')],
    ['another CN than the SPIFFE URI', 'identity-mismatch', cn('dev-2')],
    ['no CN', 'common-name-missing', nameOf({ organization: 'dev-1' })],
  ])('%s: %s', async (_, code, subject) => {
    const leaf = await unusualCertificate(fleet.devices, { ...named('dev-1'), subject })
    expect(await seen(leaf)).toMatchObject({ kind: 'refused', code })
  })

  test('a socket whose handshake is not finished, or that is gone', async () => {
    const silent = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
    const socket = new TLSSocket(silent, { isServer: true, ...listen() })
    const refused = { kind: 'refused', code: 'handshake-unfinished' }
    expect(peerIdentity(socket, fleet.peerTrust())).toMatchObject(refused)
    socket.destroy()
    await once(socket, 'close')
    expect(peerIdentity(socket, fleet.peerTrust())).toMatchObject(refused)
  })
})

function cn(commonName: string): Name {
  return nameOf({ commonName })
}

function named(id: string, role = 'device', trustDomain = 'fleet.example') {
  const uri = { type: 'uri', value: `spiffe://${trustDomain}/${role}/${id}` } as const
  return { subject: nameOf({ commonName: id }), subjectAltNames: [uri] }
}
