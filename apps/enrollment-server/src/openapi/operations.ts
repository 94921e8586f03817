import * as sample from './samples.ts'

/** What the OpenAPI document says of an operation besides its schemas. */
export interface OperationNote {
  /** What generated clients call it. */
  readonly id: string
  /** An example of the body, where there is one. */
  readonly body?: unknown
  /** An example of the answer; of each media type where it has its own. */
  readonly answer?: unknown
  /** Bodies that are not JSON, by media type. */
  readonly streams?: Readonly<Record<string, string>>
  /** Answers that are not JSON, by media type. */
  readonly answers?: Readonly<Record<string, string>>
  /** Takes an `Idempotency-Key`. */
  readonly isOnce?: true
  /** Query parameters of an operation without a schema. */
  readonly query?: Readonly<Record<string, { readonly description: string; readonly example: string }>>
}

const page = (item: unknown) => ({ items: [item], nextCursor: sample.cursor })
const reason = { reason: 'keyCompromise' }
const rotated = { id: 'changed', answer: sample.authority }
const report =
  '{"type":"refused","row":2,"line":3,"id":"pump 8","code":"field-invalid","errors":[{"field":"id","message":"must be 1 to 64 letters, …"}]}\n' +
  '{"type":"done","dryRun":false,"notShown":0,"rows":2,"added":1,"unchanged":0,"refused":1}\n'

/** Every operation, in the order of the document’s tags. A test compares with the routes. */
export const operations: Readonly<Record<string, OperationNote>> = {
  'POST /v1/enrollments': { id: 'enroll', body: { csr: sample.csrPem }, answer: sample.enrollment },
  'GET /v1/ca': { id: 'getAuthorities', answer: sample.bundle },
  'POST /v1/ca/rotations': {
    ...rotated,
    id: 'rotateAuthority',
    isOnce: true,
    body: { kind: 'devices', introduceForSeconds: 3600 },
  },
  'POST /v1/ca/requests': {
    id: 'requestAuthority',
    body: { kind: 'devices' },
    answer: { id: 'devices-2', csr: sample.csrPem },
  },
  'PUT /v1/ca/requests/{id}': {
    ...rotated,
    id: 'fulfilAuthority',
    body: { certificates: [sample.certificatePem] },
  },
  'POST /v1/ca/roots': {
    ...rotated,
    id: 'addRoot',
    body: { certificates: [sample.certificatePem], introduceForSeconds: 3600 },
  },
  'POST /v1/ca/{id}/activate': { ...rotated, id: 'activateAuthority', body: {} },
  'POST /v1/ca/{id}/retire': { ...rotated, id: 'retireAuthority', body: { force: false } },
  'POST /v1/devices': { id: 'registerDevice', isOnce: true, body: sample.newDevice, answer: sample.device },
  'GET /v1/devices': { id: 'listDevices', answer: page(sample.device) },
  'GET /v1/devices/{id}': { id: 'getDevice', answer: sample.device },
  'POST /v1/devices/import': {
    id: 'importDevices',
    streams: {
      'text/csv': 'id,batch,label.site\npump-7,2030-07,north\n',
      'application/x-ndjson': '{"id":"pump-7","batch":"2030-07","labels":{"site":"north"}}\n',
    },
    answers: { 'application/x-ndjson': report },
    query: { dryRun: { description: 'true: look at everything, add nothing', example: 'true' } },
  },
  'POST /v1/devices/{id}/tokens': {
    id: 'makeToken',
    isOnce: true,
    body: { expiresInSeconds: 3600 },
    answer: {
      token: 'Zq0wS8mH3r1v5yB7nE9tK2uJ4xL6cD0fG8hA3iM5oPQ',
      deviceId: 'pump-7',
      expiresAt: sample.times.later,
    },
  },
  'POST /v1/devices/{id}/suspend': {
    id: 'suspendDevice',
    body: {},
    answer: { ...sample.device, state: 'suspended' },
  },
  'POST /v1/devices/{id}/resume': { id: 'resumeDevice', body: {}, answer: sample.device },
  'POST /v1/devices/{id}/revoke': { id: 'revokeDevice', body: reason, answer: sample.device },
  'POST /v1/devices/{id}/retire': {
    id: 'retireDevice',
    body: {},
    answer: { ...sample.device, state: 'retired' },
  },
  'GET /v1/claims': { id: 'listClaims', answer: page(sample.claim) },
  'GET /v1/claims/{id}': { id: 'getClaim', answer: sample.claim },
  'POST /v1/claims': {
    id: 'makeClaim',
    isOnce: true,
    body: { id: 'line-1', batch: '2030-07', quota: 500, csr: sample.csrPem },
    answer: { ...sample.claim, certificate: sample.certificatePem, chain: [sample.certificatePem] },
  },
  'POST /v1/claims/{id}/revoke': {
    id: 'revokeClaim',
    body: reason,
    answer: { ...sample.claim, state: 'revoked' },
  },
  'GET /v1/approvals': { id: 'listApprovals', answer: page(sample.approval) },
  'GET /v1/approvals/{id}': { id: 'getApproval', answer: sample.approval },
  'POST /v1/approvals/{id}/approve': {
    id: 'approve',
    body: { labels: { site: 'north' } },
    answer: { ...sample.approval, state: 'approved', decidedAt: sample.times.at },
  },
  'POST /v1/approvals/{id}/deny': {
    id: 'deny',
    body: {},
    answer: { ...sample.approval, state: 'denied', decidedAt: sample.times.at },
  },
  'GET /v1/certificates': { id: 'listCertificates', answer: page(sample.certificate) },
  'GET /v1/certificates/{serial}': { id: 'getCertificate', answer: sample.certificate },
  'POST /v1/certificates/{serial}/revoke': {
    id: 'revokeCertificate',
    body: reason,
    answer: { ...sample.certificate, status: 'revoked', revocation: { at: sample.times.at, ...reason } },
  },
  'POST /v1/certificates/revocations': {
    id: 'revokeMany',
    body: { serials: [sample.serial], deviceIds: ['pump-8'], reason: 'cessationOfOperation' },
    answer: {
      revoked: 1,
      results: [
        { serial: sample.serial, status: 'revoked' },
        { deviceId: 'pump-8', status: 'refused', code: 'device-unknown' },
      ],
    },
  },
  'POST /v1/certificates/activations': {
    id: 'reportActivations',
    body: { serials: [sample.serial, sample.otherSerial] },
    answer: { activated: 1, unchanged: 1, unknown: 0 },
  },
  'GET /v1/events': {
    id: 'followEvents',
    answers: {
      'text/event-stream': `id: 1234\nevent: issued\ndata: {"id":1234,"type":"issued","at":"${sample.times.at}","deviceId":"pump-7","certificates":[{"issuer":"devices","serial":"${sample.serial}"}]}\n\n`,
    },
    query: { after: { description: 'the id of an event: go on behind it', example: '1233' } },
  },
  'GET /v1/audit': {
    id: 'readAudit',
    answer: { items: [sample.auditRecord], head: { seq: 7, hash: sample.hash } },
  },
  'GET /v1/audit/export': {
    id: 'exportAudit',
    answers: { 'application/x-ndjson': `${JSON.stringify(sample.auditRecord)}\n` },
    query: { after: { description: 'the number of a record: begin behind it', example: '0' } },
  },
}

const parameters: Readonly<Record<string, string>> = {
  limit: '100',
  cursor: sample.cursor,
  state: 'active',
  status: 'issued',
  role: 'device',
  profile: 'device',
  deviceId: 'pump-7',
  serial: sample.serial,
  after: '7',
}

/** An example of a parameter, by its name; of an id and a state it depends on the path whose they are. */
export function parameterExample(path: string, name: string): string | undefined {
  if (path.startsWith('/v1/approvals')) {
    if (name === 'id') return sample.publicKey
    if (name === 'state') return 'pending'
  }
  if (name !== 'id') return parameters[name]
  if (path.startsWith('/v1/ca/')) return 'devices-2'
  return path.startsWith('/v1/claims/') ? 'line-1' : 'pump-7'
}
