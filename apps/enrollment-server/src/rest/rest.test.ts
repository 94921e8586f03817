import { parseCertificate } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csrFor, enrolledDevice, restEnroll } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import { problemKinds } from '../problem/codes.ts'
import { enrollmentCodes } from '../problem/enrollment-codes.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const get = (path: string) => testbed.request(path, { identity: testbed.operator })
const post = (path: string, json: unknown) =>
  testbed.request(path, { method: 'POST', json, identity: testbed.operator })

describe('GET /v1/ca', () => {
  it('gives root and issuers to everybody, and says who issues what', async () => {
    const { status, json } = await testbed.request('/v1/ca')
    expect(status).toBe(200)
    expect(json).toMatchObject({ root: testbed.root, trustDomain: 'fleet.example' })
    const { devices, services } = json['issuers'] as Record<string, string[]>
    for (const pem of [...(devices ?? []), ...(services ?? [])]) {
      expect(parseCertificate(pem).basicConstraints).toEqual({ ca: true, pathLength: 0 })
    }
  })
})

describe('POST /v1/devices', () => {
  it('registers a device and says where it is', async () => {
    const answer = await post('/v1/devices', { id: 'sensor-1', labels: { site: 'north' } })
    expect(answer.status).toBe(201)
    expect(answer.headers['location']).toBe('/v1/devices/sensor-1')
    expect(answer.json).toEqual({
      id: 'sensor-1',
      profile: 'device',
      state: 'registered',
      dns: [],
      ip: [],
      labels: { site: 'north' },
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
    })
    expect((await get('/v1/devices/sensor-1')).json).toEqual(answer.json)
  })

  it('refuses an id that exists', async () => {
    await post('/v1/devices', { id: 'twice' })
    expect(await post('/v1/devices', { id: 'twice' })).toMatchObject({
      status: 409,
      headers: { 'content-type': 'application/problem+json; charset=utf-8' },
      json: {
        type: 'urn:fleetroot:problem:device-exists',
        title: 'A device with this id exists.',
        status: 409,
        code: 'device-exists',
        detail: 'id: twice is in the inventory',
      },
    })
  })

  it.each([
    ['a path', { id: '../etc' }, /^body\.id: must be 1 to 64 letters/],
    ['SQL', { id: `'; DROP TABLE devices; --` }, /^body\.id: must be/],
    ['65 characters', { id: 'x'.repeat(65) }, /^body\.id: must be/],
    ['a number', { id: 7 }, /^body\.id: must be a string/],
    ['no id', {}, /^body\.id: is missing/],
    ['an unknown field', { id: 'a', admin: true }, /^body: has fields that are not known here: "admin"/],
    [
      'an unknown profile',
      { id: 'a', profile: 'operator' },
      /^body\.profile: must be device, service or broker$/,
    ],
    ['names for a device', { id: 'a', dns: ['x.example'] }, /^body\.dns: .* use the profile service/],
    ['a wildcard', { id: 'a', profile: 'service', dns: ['*.example'] }, /^body\.dns\.0: must be a host name/],
    ['no address', { id: 'a', profile: 'service', ip: ['1.2.3'] }, /^body\.ip\.0: must be an IPv4 or IPv6/],
    ['no object', 'a', /^body: /],
  ])('refuses %s, naming the field', async (_what, body, detail) => {
    const answer = await post('/v1/devices', body)
    expect(answer.status).toBe(400)
    expect(answer.json).toMatchObject({ code: 'field-invalid', detail: expect.stringMatching(detail) })
  })

  it('refuses the ids of the server itself', async () => {
    for (const id of ['operator', 'enrollment-server']) {
      expect((await post('/v1/devices', { id })).json).toMatchObject({ code: 'device-managed' })
      expect((await post(`/v1/devices/${id}/tokens`, {})).json).toMatchObject({ code: 'device-managed' })
    }
  })

  it.each([
    ['{"id":', 400, 'body-malformed'],
    ['{"__proto__": {"id": "x"}}', 400, 'body-malformed'],
    ['', 400, 'body-missing'],
  ])('refuses the body %j', async (body, status, code) => {
    const headers = { 'content-type': 'application/json' }
    const answer = await testbed.request('/v1/devices', {
      method: 'POST',
      headers,
      body,
      identity: testbed.operator,
    })
    expect(answer).toMatchObject({ status, json: { code } })
  })
})

describe('GET /v1/devices', () => {
  it('lists all of them once, page by page, and by state', async () => {
    for (let n = 0; n < 7; n++) await post('/v1/devices', { id: `page-${n}` })
    const ids: string[] = []
    let cursor = ''
    do {
      const { json } = await get(`/v1/devices?limit=3${cursor && `&cursor=${cursor}`}`)
      ids.push(...(json['items'] as { id: string }[]).map(({ id }) => id))
      cursor = (json['nextCursor'] as string | undefined) ?? ''
    } while (cursor)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual([...ids].sort())
    expect(ids).toEqual(expect.arrayContaining(['broker', 'operator', 'page-0', 'page-6', 'simulator']))

    const enrolled = (await get('/v1/devices?state=enrolled')).json['items'] as { id: string }[]
    expect(enrolled.map(({ id }) => id)).toEqual([
      'enrollment-server',
      'ocsp-devices',
      'ocsp-services',
      'operator',
    ])
  })

  it.each([
    ['limit=0', /^query\.limit: must be a number from 1 to 1000/],
    ['limit=1001', /^query\.limit: /],
    ['limit=10%20OR%201', /^query\.limit: /],
    ['state=alive', /^query\.state: must be one of registered, /],
    ['cursor=%21', /^query\.cursor: must be the nextCursor/],
    ['page=2', /^query: has fields that are not known here: "page"/],
  ])('refuses %s', async (query, detail) => {
    const answer = await get(`/v1/devices?${query}`)
    expect(answer.json).toMatchObject({ code: 'field-invalid', detail: expect.stringMatching(detail) })
  })

  it('says which device is not there', async () => {
    const { status, json } = await get('/v1/devices/ghost')
    expect([status, json['code'], json['detail']]).toEqual([
      404,
      'device-unknown',
      'id: ghost is not registered',
    ])
  })
})

describe('POST /v1/devices/{id}/tokens', () => {
  it('makes a token that nobody may store', async () => {
    await post('/v1/devices', { id: 'tokened' })
    const answer = await post('/v1/devices/tokened/tokens', { expiresInSeconds: 60 })
    expect(answer.status).toBe(201)
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.json).toMatchObject({ token: expect.stringMatching(/^[\w-]{43}$/), deviceId: 'tokened' })
    const seconds = (Date.parse(String(answer.json['expiresAt'])) - Date.now()) / 1000
    expect(Math.round(seconds / 60)).toBe(1)
  })

  it('refuses an unknown device and a life without end', async () => {
    expect((await post('/v1/devices/ghost/tokens', {})).json).toMatchObject({ code: 'device-unknown' })
    expect((await post('/v1/devices/ghost/tokens', { expiresInSeconds: 1e9 })).json).toMatchObject({
      code: 'field-invalid',
      detail: 'body.expiresInSeconds: must be at most 365 days',
    })
  })
})

describe('POST /v1/enrollments', () => {
  it('exchanges token and CSR for the certificate and its chain', async () => {
    const token = await testbed.token('json')
    const answer = await restEnroll(testbed, token, csrFor('json'))
    expect(answer.status).toBe(201)
    expect(answer.headers['cache-control']).toBe('no-store')
    const { certificate, chain, ...rest } = answer.json as { certificate: string; chain: string[] }
    const leaf = parseCertificate(certificate)
    const [issuer] = chain.map((pem) => parseCertificate(pem))
    expect(leaf.issuerDer).toEqual(issuer?.subjectDer)
    expect(rest).toEqual({
      deviceId: 'json',
      serial: leaf.serial,
      notBefore: leaf.notBefore.toISOString(),
      notAfter: leaf.notAfter.toISOString(),
      csr: {
        fields: [
          { field: 'publicKey', decision: 'taken' },
          { field: 'subject', decision: 'taken' },
        ],
      },
    })
  })

  it('without a token says which header to send', async () => {
    const answer = await testbed.request('/v1/enrollments', { method: 'POST', json: { csr: 'x' } })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Bearer realm="fleetroot"')
    expect(answer.json).toMatchObject({
      code: 'credential-missing',
      detail: 'Authorization: send Bearer and the token',
    })
  })

  it('refuses a CSR that is none', async () => {
    const token = await testbed.token('no-csr')
    expect((await restEnroll(testbed, token, 'hello')).json).toMatchObject({ code: 'body-malformed' })
    const der = Buffer.from([0x30, 0x03, 0x02, 0x01, 0x00]).toString('base64')
    expect((await restEnroll(testbed, token, der)).json).toMatchObject({ code: 'csr-malformed' })
  })
})

describe('GET /v1/certificates/{serial}', () => {
  it('reads serials as openssl writes them', async () => {
    const { certificate } = await enrolledDevice(testbed, 'colons')
    const colons = certificate.serial.toUpperCase().replace(/..(?!$)/g, '$&:')
    expect((await get(`/v1/certificates/${colons}`)).json).toMatchObject({ deviceId: 'colons' })
  })

  it('refuses what is no serial, and says which one is not known', async () => {
    expect((await get('/v1/certificates/xyz')).json).toMatchObject({ code: 'field-invalid' })
    expect((await get('/v1/certificates/abcd')).json).toMatchObject({ code: 'serial-unknown' })
  })
})

describe('GET /v1/openapi.json', () => {
  it('says of an enrollment every code that it can be refused with, under its status', async () => {
    const { json } = await testbed.request('/v1/openapi.json')
    const paths = json['paths'] as Record<
      string,
      { post: { responses: Record<string, { description: string }> } }
    >
    const { 201: _, default: __, ...refusals } = paths['/v1/enrollments']?.post.responses ?? {}
    const listed = Object.entries(refusals).flatMap(([status, { description }]) =>
      description.split(', ').map((code) => [code, Number(status)]),
    )
    expect(Object.fromEntries(listed)).toEqual(
      Object.fromEntries(enrollmentCodes.map((code) => [code, problemKinds[code].status])),
    )
  })

  it('describes every endpoint, with the credential that it asks for', async () => {
    const { json } = await testbed.request('/v1/openapi.json')
    expect(json['openapi']).toBe('3.1.0')
    const paths = json['paths'] as Record<string, Record<string, { security: object[] }>>
    const endpoints = Object.entries(paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, { security }]) => [
        `${method.toUpperCase()} ${path}`,
        security.flatMap(Object.keys).join(),
      ]),
    )
    expect(Object.fromEntries(endpoints)).toEqual({
      'GET /v1/audit': 'operatorCertificate',
      'GET /v1/audit/export': 'operatorCertificate',
      'GET /v1/ca': '',
      'GET /v1/certificates': 'operatorCertificate',
      'GET /v1/certificates/{serial}': 'operatorCertificate',
      'GET /v1/approvals': 'operatorCertificate',
      'GET /v1/approvals/{id}': 'operatorCertificate',
      'POST /v1/approvals/{id}/approve': 'operatorCertificate',
      'POST /v1/approvals/{id}/deny': 'operatorCertificate',
      'POST /v1/devices/import': 'operatorCertificate',
      'GET /v1/claims': 'operatorCertificate',
      'GET /v1/claims/{id}': 'operatorCertificate',
      'GET /v1/devices': 'operatorCertificate',
      'GET /v1/devices/{id}': 'operatorCertificate',
      'GET /v1/events': 'serviceCertificate',
      'POST /v1/ca/requests': 'operatorCertificate',
      'POST /v1/ca/roots': 'operatorCertificate',
      'POST /v1/ca/rotations': 'operatorCertificate',
      'POST /v1/ca/{id}/activate': 'operatorCertificate',
      'POST /v1/ca/{id}/retire': 'operatorCertificate',
      'PUT /v1/ca/requests/{id}': 'operatorCertificate',
      'POST /v1/certificates/revocations': 'operatorCertificate',
      'POST /v1/certificates/activations': 'brokerCertificate',
      'POST /v1/certificates/{serial}/revoke': 'operatorCertificate',
      'POST /v1/claims': 'operatorCertificate',
      'POST /v1/claims/{id}/revoke': 'operatorCertificate',
      'POST /v1/devices/{id}/resume': 'operatorCertificate',
      'POST /v1/devices/{id}/retire': 'operatorCertificate',
      'POST /v1/devices/{id}/revoke': 'operatorCertificate',
      'POST /v1/devices/{id}/suspend': 'operatorCertificate',
      'POST /v1/devices': 'operatorCertificate',
      'POST /v1/devices/{id}/tokens': 'operatorCertificate',
      'POST /v1/enrollments': 'token,claimCertificate',
    })
  })
})
