// What the examples of the OpenAPI document are made of.

const pem = (label: string): string => `-----BEGIN ${label}-----\nMIIB…\n-----END ${label}-----\n`
const at = '2030-01-01T00:00:00.000Z'
const later = '2030-01-31T00:00:00.000Z'

/** A certificate and a request, as PEM; shortened. */
export const certificatePem = pem('CERTIFICATE')
export const csrPem = pem('CERTIFICATE REQUEST')

export const serial = '1f0a2b3c4d5e6f708192a3b4c5d6e7f8'
export const otherSerial = '2a0a2b3c4d5e6f708192a3b4c5d6e7f8'
export const publicKey = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
/** As hexadecimal of SHA-256. */
export const hash = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'
export const cursor = 'cHVtcC03'
export const times = { at, later }

export const newDevice = { id: 'pump-7', labels: { site: 'north' }, batch: '2030-07' }

export const device = {
  id: 'pump-7',
  profile: 'device',
  state: 'active',
  dns: [],
  ip: [],
  labels: { site: 'north' },
  batch: '2030-07',
  createdAt: at,
  certificate: { serial, notAfter: later, status: 'active' },
}

export const certificate = {
  serial,
  deviceId: 'pump-7',
  profile: 'device',
  issuer: 'devices',
  notBefore: at,
  notAfter: later,
  status: 'active',
  certificate: certificatePem,
}

export const claim = {
  id: 'line-1',
  batch: '2030-07',
  quota: 500,
  used: 0,
  state: 'usable',
  createdAt: at,
  serial,
  notAfter: later,
}

export const approval = {
  id: publicKey,
  deviceId: 'pump-8',
  profile: 'device',
  state: 'pending',
  address: '192.0.2.7',
  askedAt: at,
  expiresAt: later,
}

export const csrReport = {
  fields: [
    { field: 'subject', decision: 'taken' },
    { field: 'publicKey', decision: 'taken' },
  ],
}

export const enrollment = {
  deviceId: 'pump-7',
  serial,
  certificate: certificatePem,
  chain: [certificatePem],
  notBefore: at,
  notAfter: later,
  csr: csrReport,
}

export const authority = {
  id: 'devices-2',
  kind: 'devices',
  state: 'introduced',
  activatesAt: later,
  subjectKeyId: '0123456789abcdef0123456789abcdef01234567',
  notBefore: at,
  notAfter: '2040-01-01T00:00:00.000Z',
  certificate: certificatePem,
}

const { activatesAt: _, ...trusted } = authority

export const bundle = {
  root: certificatePem,
  roots: [certificatePem],
  cross: [],
  issuers: { devices: [certificatePem], services: [certificatePem] },
  authorities: [{ ...trusted, id: 'devices', state: 'issuing' }],
  trustDomain: 'fleetroot.local',
}

export const auditRecord = { record: { seq: 7, at, type: 'registered', deviceId: 'pump-7' }, hash }
