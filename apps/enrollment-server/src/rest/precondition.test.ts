import { createCsr, generateKeyPair } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeClaim } from '../testing/claim.ts'
import { csrFor } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import type { Answer } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed({ approvals: true })
})
afterAll(() => testbed.close())

const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  testbed.request(path, { identity: testbed.operator, headers })
const tagOf = async (path: string): Promise<string> => String((await get(path)).headers.etag)
const post = (path: string, ifMatch: string, json: object = {}): Promise<Answer> =>
  testbed.request(path, {
    method: 'POST',
    json,
    headers: { 'if-match': ifMatch },
    identity: testbed.operator,
  })
const failed = { status: 412, json: { code: 'precondition-failed' } }

/** One of each kind that has an entity tag and can be changed: what to read, and by which request it is changed. */
const changeable: [what: string, make: () => Promise<{ path: string; change: string }>][] = [
  [
    'a device',
    async () => {
      await testbed.token('pump-1')
      return { path: '/v1/devices/pump-1', change: '/v1/devices/pump-1/retire' }
    },
  ],
  [
    'a certificate',
    async () => {
      const { serial } = await makeClaim(testbed, 'line-1', 'b')
      return { path: `/v1/certificates/${serial}`, change: `/v1/certificates/${serial}/revoke` }
    },
  ],
  [
    'a claim',
    async () => {
      await makeClaim(testbed, 'line-2', 'b')
      return { path: '/v1/claims/line-2', change: '/v1/claims/line-2/revoke' }
    },
  ],
  [
    'a request for approval',
    async () => {
      const { privateKey } = generateKeyPair('P-256')
      const csr = createCsr({ privateKey, commonName: 'stranger' }).toString('base64')
      await testbed.request('/v1/enrollments', { method: 'POST', json: { csr } })
      const { json } = await get('/v1/approvals')
      const [{ id } = { id: '' }] = json['items'] as { id: string }[]
      return { path: `/v1/approvals/${id}`, change: `/v1/approvals/${id}/deny` }
    },
  ],
]

describe('a change with If-Match', () => {
  it.each(changeable)('of %s is done only while it is as it was read', async (_what, make) => {
    const { path, change } = await make()
    const before = await get(path)
    const tag = String(before.headers.etag)
    for (const other of ['"another"', `W/${tag}`, '']) {
      const refused = await post(change, other)
      expect(refused).toMatchObject(failed)
      expect(refused.json['detail']).toContain(tag)
    }
    expect((await get(path)).body).toBe(before.body)
    expect((await post(change, `"another", ${tag}`)).status).toBe(200)
    expect(await tagOf(path)).not.toBe(tag)
    // It is so already; but not as whoever asks believes.
    expect(await post(change, tag)).toMatchObject(failed)
    expect((await post(change, '*')).status).toBe(200)
  })

  it('is done by one of many that have read the same', async () => {
    await testbed.token('pump-2')
    const tag = await tagOf('/v1/devices/pump-2')
    const changes = ['suspend', 'revoke', 'retire', 'suspend', 'revoke', 'retire', 'suspend', 'retire']
    const answers = await Promise.all(changes.map((change) => post(`/v1/devices/pump-2/${change}`, tag)))
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
      200,
      ...Array.from({ length: changes.length - 1 }, () => 412),
    ])
  })

  it('of what is not there says that', async () => {
    expect(await post('/v1/devices/nobody/suspend', '*')).toMatchObject({
      status: 404,
      json: { code: 'device-unknown' },
    })
  })
})

describe('If-Match', () => {
  it('is not overlooked where nothing can be compared: nothing is done', async () => {
    const claim = { id: 'line-3', batch: 'b', quota: 1, csr: csrFor('line-3') }
    const requests: [string, object][] = [
      ['/v1/devices', { id: 'pump-3' }],
      ['/v1/claims', claim],
      ['/v1/certificates/revocations', { deviceIds: ['pump-1'] }],
      ['/v1/ca/rotations', { kind: 'devices' }],
      ['/v1/ca/devices/activate', {}],
    ]
    for (const [path, body] of requests) expect(await post(path, '*', body)).toMatchObject(failed)
    const sent = { method: 'POST', headers: { 'if-match': '*', 'content-type': 'text/csv' } }
    const file = { ...sent, body: 'id\npump-3\n', identity: testbed.operator }
    expect(await testbed.request('/v1/devices/import', file)).toMatchObject(failed)
    const token = await testbed.token('pump-5')
    const headers = {
      'if-match': '*',
      'content-type': 'application/pkcs10',
      authorization: `Basic ${Buffer.from(`pump-5:${token}`).toString('base64')}`,
    }
    const asked = { method: 'POST', headers, body: csrFor('pump-5') }
    expect(await testbed.request('/.well-known/est/simpleenroll', asked)).toMatchObject({
      status: 412,
      body: expect.stringMatching(/^precondition-failed: If-Match: /) as string,
    })
    expect((await get('/v1/devices/pump-3')).status).toBe(404)
    expect((await get('/v1/claims/line-3')).status).toBe(404)
  })

  it('of a GET is compared, too', async () => {
    await command(testbed, '/v1/devices', { id: 'pump-4' })
    const tag = await tagOf('/v1/devices/pump-4')
    expect((await get('/v1/devices/pump-4', { 'if-match': tag })).status).toBe(200)
    expect(await get('/v1/devices/pump-4', { 'if-match': '"another"' })).toMatchObject(failed)
    expect((await get('/v1/devices/pump-4', { 'if-match': tag, 'if-none-match': tag })).status).toBe(304)
  })
})
