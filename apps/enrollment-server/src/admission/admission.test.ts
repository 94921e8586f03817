import {
  createCsr,
  type Csr,
  defaultProfiles,
  type DeviceId,
  generateKeyPair,
  issueCertificate,
  createRootCertificate,
  createIssuingCertificate,
  keySigner,
  newSerial,
  parseCsr,
  type Profile,
} from '@fleetroot/pki'
import { beforeAll, describe, expect, it } from 'vitest'
import type { CertificateRecord, DeviceRecord, TokenRecord } from '../registry/records.ts'
import { admit, type Verdict } from './admission.ts'
import type { Credential, Grace } from './credential.ts'
import type { Inventory } from './inventory.ts'

const now = new Date('2030-01-01T00:00:00Z')
const minute = 60_000
const id = 'sensor-1' as DeviceId
const uri = { type: 'uri', value: `spiffe://fleet.example/device/${id}` } as const
const { privateKey } = generateKeyPair('P-256')

const device: DeviceRecord = {
  id,
  profile: 'device',
  state: 'registered',
  dns: [],
  ip: [],
  labels: {},
  createdAtMs: 0,
}
const inventory: Inventory = {
  device,
  keyHolder: undefined,
  authorityKeys: new Set(),
  profiles: new Map<string, Profile>(Object.entries(defaultProfiles)),
  trustDomain: 'fleet.example',
  retryAfterSeconds: 60,
}
const token: TokenRecord = { deviceId: id, expiresAtMs: now.getTime() + minute }
const byToken = (changes: Partial<TokenRecord> = {}, sentId?: string): Credential => ({
  kind: 'token',
  hash: 'hash',
  token: { ...token, ...changes },
  ...(sentId !== undefined && { sentId }),
})

let csr: Csr
let certificate: Extract<Credential, { kind: 'certificate' }>['certificate']
let record: CertificateRecord
beforeAll(async () => {
  csr = await parseCsr(createCsr({ privateKey, commonName: id, subjectAltNames: [uri] }))
  const root = generateKeyPair('P-256')
  const signer = keySigner(root.privateKey)
  const anchor = await createRootCertificate({ signer, commonName: 'Root', serial: newSerial(), now })
  const devices = generateKeyPair('P-256')
  const issuing = await createIssuingCertificate({
    issuer: { certificate: anchor, signer },
    publicKey: devices.publicKey,
    commonName: 'Devices',
    serial: newSerial(),
    now,
  })
  certificate = await issueCertificate({
    profile: defaultProfiles.device,
    issuer: { certificate: issuing, signer: keySigner(devices.privateKey) },
    subject: { id, trustDomain: 'fleet.example' },
    publicKey: csr.publicKey,
    serial: newSerial(),
    now,
  })
  record = {
    serial: certificate.serial,
    deviceId: id,
    profile: 'device',
    issuer: 'devices',
    publicKey: csr.publicKeyFingerprint,
    notBeforeMs: certificate.notBefore.getTime(),
    notAfterMs: certificate.notAfter.getTime(),
    status: 'active',
    issuedAtMs: now.getTime(),
    der: certificate.der,
  }
})

const byCertificate = (changes: Partial<CertificateRecord> | undefined = {}): Credential => ({
  kind: 'certificate',
  id,
  role: 'device',
  certificate,
  record: { ...record, ...changes },
})

function decide(
  credential: Credential,
  changes: Partial<Inventory> & { profile?: string; at?: Date } = {},
): Verdict {
  const { profile, at = now, ...rest } = changes
  return admit(credential, { csr, ...(profile && { profile }) }, { ...inventory, ...rest }, at)
}

const refused = (code: string) => expect.objectContaining({ verdict: 'refuse', code })

describe('a token', () => {
  it('that is fresh gets a certificate with the names of the inventory', () => {
    expect(decide(byToken({}, id))).toEqual({
      verdict: 'issue',
      profile: defaultProfiles.device,
      subject: { id, trustDomain: 'fleet.example', dns: [], ip: [] },
      csr: {
        fields: [
          { field: 'publicKey', decision: 'taken' },
          { field: 'subject', decision: 'taken' },
          { field: 'subjectAltName', decision: 'taken' },
        ],
      },
    })
  })

  it('that is not known, and one that is for another id, get the same answer', () => {
    const unknown = decide({ kind: 'token', hash: 'hash', token: undefined })
    expect(unknown).toEqual(refused('token-invalid'))
    expect(decide(byToken({}, 'sensor-2'))).toEqual(unknown)
  })

  it('is good until the moment when it expires', () => {
    const expiresAtMs = now.getTime()
    expect(decide(byToken({ expiresAtMs: expiresAtMs + 1 })).verdict).toBe('issue')
    expect(decide(byToken({ expiresAtMs }))).toEqual(refused('token-expired'))
  })

  it('that was used is answered again for the same key within ten minutes, even after it expired', () => {
    const used = (ago: number, publicKey = csr.publicKeyFingerprint) =>
      byToken({ expiresAtMs: 0, used: { atMs: now.getTime() - ago, publicKey, serial: 'ab' } })
    expect(decide(used(10 * minute - 1))).toMatchObject({ verdict: 'repeat', serial: 'ab' })
    expect(decide(used(10 * minute))).toEqual(refused('token-used'))
    expect(decide(used(1, 'another key'))).toEqual(refused('token-used'))
  })

  it('never makes an operator, a claim or the server itself', () => {
    for (const profile of ['operator', 'claim']) {
      expect(decide(byToken(), { device: { ...device, profile } })).toEqual(refused('role-not-allowed'))
    }
    expect(decide(byToken({ deviceId: 'operator' as DeviceId }))).toEqual(refused('token-invalid'))
  })
})

describe('a certificate', () => {
  it('renews itself', () => {
    expect(decide(byCertificate()).verdict).toBe('issue')
  })

  it('that is revoked does not', () => {
    expect(decide(byCertificate({ status: 'revoked' }))).toEqual(refused('certificate-inactive'))
  })

  it('that is superseded does not once its successor has connected, and does as long as nobody knows', () => {
    const superseded = { status: 'superseded' } as const
    expect(decide(byCertificate(superseded)).verdict).toBe('issue')
    expect(decide(byCertificate({ ...superseded, supersededBy: 'abcd' }))).toEqual(
      refused('certificate-inactive'),
    )
  })

  it('that the registry does not know, or knows with other bytes, does not', () => {
    expect(decide({ kind: 'certificate', id, role: 'device', certificate, record: undefined })).toEqual(
      refused('certificate-inactive'),
    )
    expect(decide(byCertificate({ der: new Uint8Array(7) }))).toEqual(refused('certificate-inactive'))
    expect(decide(byCertificate({ deviceId: 'sensor-2' as DeviceId }))).toEqual(
      refused('certificate-inactive'),
    )
  })

  it('that expired on a connection that lives does not', () => {
    expect(decide(byCertificate(), { at: certificate.notAfter })).toEqual(refused('certificate-refused'))
  })

  describe('that has expired, where a grace counts,', () => {
    const grace: Grace = { lengthMs: 5 * minute, isLeftBehind: false }
    const late = (
      changes: Partial<CertificateRecord> = {},
      allowed: Grace | undefined = grace,
    ): Credential => ({
      ...(byCertificate(changes) as Extract<Credential, { kind: 'certificate' }>),
      ...(allowed && { grace: allowed }),
    })
    const after = (ms: number) => ({ at: new Date(certificate.notAfter.getTime() + ms) })

    it('renews itself until the grace is over', () => {
      expect(decide(late(), after(0)).verdict).toBe('issue')
      expect(decide(late(), after(5 * minute - 1)).verdict).toBe('issue')
      expect(decide(late(), after(5 * minute))).toEqual(refused('certificate-refused'))
      expect(decide(late({}, { ...grace, lengthMs: 0 }), after(0))).toEqual(refused('certificate-refused'))
    })

    it.each([
      { status: 'revoked' },
      { status: 'held' },
      { status: 'superseded', supersededBy: 'abcd' },
    ] as const)('does not when it is $status', (record) => {
      expect(decide(late(record), after(1))).toEqual(refused('certificate-inactive'))
    })

    it('does not when it was left behind, or its device may not act', () => {
      expect(decide(late({}, { ...grace, isLeftBehind: true }), after(1))).toEqual(
        refused('certificate-inactive'),
      )
      for (const state of ['suspended', 'retired'] as const) {
        const changes = { device: { ...device, state }, ...after(1) }
        expect(decide(late(), changes)).toEqual(refused('device-inactive'))
      }
    })
  })

  it('never changes the role', () => {
    expect(decide(byCertificate(), { device: { ...device, profile: 'service' } })).toEqual(
      refused('role-not-allowed'),
    )
  })
})

describe('the server itself', () => {
  it('gets certificates for its own ids only', () => {
    expect(decide({ kind: 'local', id })).toEqual(refused('role-not-allowed'))
  })
})

describe('whatever the credential', () => {
  it.each([
    ['a device that is not in the inventory', { device: undefined }, 'device-unknown'],
    ['another device', { device: { ...device, id: 'sensor-2' as DeviceId } }, 'device-unknown'],
    ['a suspended device', { device: { ...device, state: 'suspended' as const } }, 'device-inactive'],
    ['a retired device', { device: { ...device, state: 'retired' as const } }, 'device-inactive'],
    ['a profile that is gone', { device: { ...device, profile: 'gone' } }, 'profile-unknown'],
    ['the label of another profile', { profile: 'service' }, 'profile-mismatch'],
    ['the key of another device', { keyHolder: 'sensor-2' as DeviceId }, 'key-in-use'],
  ])('refuses %s', (_what, changes, code) => {
    for (const credential of [byToken(), byCertificate()]) {
      expect(decide(credential, changes)).toEqual(refused(code))
    }
  })

  it('refuses the key of a CA', () => {
    expect(decide(byToken(), { authorityKeys: new Set([csr.publicKeyFingerprint]) })).toEqual(
      refused('key-of-authority'),
    )
  })

  it('allows the key that the device had before', () => {
    expect(decide(byToken(), { keyHolder: id }).verdict).toBe('issue')
  })
})
