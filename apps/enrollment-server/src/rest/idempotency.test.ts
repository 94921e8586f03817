import { DatabaseSync } from 'node:sqlite'
import { createCsr, generateKeyPair } from '@fleetroot/pki'
import type { FastifyRequest } from 'fastify'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csrFor } from '../testing/enroll.ts'
import type { Answer } from '../testing/request.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { openDatabase } from '../registry/database.ts'
import { createLocalRegistry } from '../registry/local-registry.ts'
import { createOnce } from './idempotency.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

const day = 24 * 60 * 60 * 1000

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed({ operatorLifetime: 10 * day }, 2 * day)
})
afterAll(() => testbed.close())

const post = (path: string, json: object, key: string): Promise<Answer> =>
  testbed.request(path, {
    method: 'POST',
    json,
    headers: { 'idempotency-key': key },
    identity: testbed.operator,
  })
const records = async (type: string): Promise<number> => {
  const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
  return (json['items'] as { record: { type: string } }[]).filter(({ record }) => record.type === type).length
}

/** What a kill leaves behind that came between the work and its answer. */
function leaveUnfinished(): void {
  using database = new DatabaseSync(testbed.file('registry.db'), { timeout: 10_000 })
  database.exec("UPDATE requests SET answer = '' WHERE answer IS NOT NULL")
}

describe('a request with an Idempotency-Key', () => {
  it('is done once, and answered as the first time, whatever happened since', async () => {
    const before = await records('registered')
    const first = await post('/v1/devices', { id: 'once-1', labels: { b: '2', a: '1' } }, 'key-1')
    await testbed.request('/v1/devices/once-1/suspend', { method: 'POST', identity: testbed.operator })
    const again = await post('/v1/devices', { labels: { a: '1', b: '2' }, id: 'once-1' }, '"key-1"')
    expect([first.status, again.status, again.body]).toEqual([201, 201, first.body])
    expect(again.headers.location).toBe('/v1/devices/once-1')
    expect(await records('registered')).toBe(before + 1)
  })

  it('that is sent many times at once is done once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => post('/v1/devices', { id: 'once-2' }, 'key-2')),
    )
    expect(new Set(answers.map(({ status, body }) => `${status} ${body}`)).size).toBe(1)
    expect(answers[0]?.status).toBe(201)
  })

  it('that another process is at is not forgotten by this one, whose work is refused meanwhile', async () => {
    using database = openDatabase(testbed.file('registry.db'))
    const registry = createLocalRegistry(database)
    const [one, other] = [createOnce(registry), createOnce(registry)]
    const request = {
      credential: { kind: 'certificate', id: 'operator', role: 'operator' },
      headers: { 'idempotency-key': 'key-two' },
      method: 'POST',
      params: {},
      routeOptions: { url: '/v1/ca/rotations' },
    } as unknown as FastifyRequest
    const asking = { request, asked: {}, atMs: Date.now() }
    const done = Promise.withResolvers<string>()
    const begun = Promise.withResolvers<void>()
    const answered = one(asking, () => {
      begun.resolve()
      return done.promise
    })
    await begun.promise
    const refusal = new RequestRefused({ code: 'rotation-pending', detail: 'a CA is introduced already' })
    await expect(other(asking, () => Promise.reject(refusal))).rejects.toBe(refusal)
    done.resolve('made')
    expect(await answered).toBe('made')
    expect(await other(asking, () => Promise.reject(refusal))).toBe('made')
  })

  it('is known however its path is written, and its key with quotes or without, not with one of them', async () => {
    await testbed.request('/v1/devices', { method: 'POST', json: { id: 'i1' }, identity: testbed.operator })
    expect((await post('/v1/devices/i1/tokens', {}, 'key-q')).status).toBe(201)
    for (const [path, key] of [
      ['/v1/devices/i%31/tokens', 'key-q'],
      ['/v1/devices/i1/tokens', '"key-q"'],
    ] as const)
      expect((await post(path, {}, key)).json['code']).toBe('idempotent-answer-secret')
    for (const key of ['"key-q', 'key-q"']) {
      expect(await post('/v1/devices/i1/tokens', {}, key)).toMatchObject({
        status: 400,
        json: { code: 'field-invalid' },
      })
    }
  })

  it('is refused when the key was for another request', async () => {
    await post('/v1/devices', { id: 'once-3' }, 'key-3')
    expect(await post('/v1/devices', { id: 'once-4' }, 'key-3')).toMatchObject({
      status: 422,
      json: { code: 'idempotency-key-reused' },
    })
    expect((await testbed.request('/v1/devices/once-4', { identity: testbed.operator })).status).toBe(404)
    // A key is good for one path.
    expect((await post('/v1/devices/once-3/tokens', {}, 'key-3')).status).toBe(201)
  })

  it('for a token makes one, and does not keep it', async () => {
    await post('/v1/devices', { id: 'once-5' }, 'key-5')
    const before = await records('token-made')
    const first = await post('/v1/devices/once-5/tokens', { expiresInSeconds: 60 }, 'key-5')
    expect(first.status).toBe(201)
    expect(await post('/v1/devices/once-5/tokens', { expiresInSeconds: 60 }, 'key-5')).toMatchObject({
      status: 409,
      json: { code: 'idempotent-answer-secret' },
    })
    expect((await post('/v1/devices/once-5/tokens', {}, 'key-5')).json['code']).toBe('idempotency-key-reused')
    expect(await records('token-made')).toBe(before + 1)
  })

  describe('for a claim', () => {
    const { privateKey } = generateKeyPair('P-256')
    const csr = () => createCsr({ privateKey, commonName: 'line-1' }).toString('base64')
    const body = () => ({ id: 'line-1', batch: 'b', quota: 5, csr: csr() })

    it('makes one, whose certificate is answered again, also when many ask at once', async () => {
      const before = await records('claim-made')
      const answers = await Promise.all([1, 2, 3].map(() => post('/v1/claims', body(), 'key-c')))
      expect(new Set(answers.map(({ status, body: text }) => `${status} ${text}`)).size).toBe(1)
      expect(answers[0]).toMatchObject({ status: 201, headers: { location: '/v1/claims/line-1' } })
      expect(await records('claim-made')).toBe(before + 1)
      const { json } = await testbed.request('/v1/certificates?deviceId=line-1', {
        identity: testbed.operator,
      })
      expect(json['items']).toHaveLength(1)
      const other = csrFor('line-1')
      for (const change of [{ quota: 6 }, { csr: other }, { expiresInSeconds: 60 }]) {
        const refused = await post('/v1/claims', { ...body(), ...change }, 'key-c')
        expect(refused.json['code']).toBe('idempotency-key-reused')
      }
      expect((await post('/v1/claims', body(), 'key-d')).json['code']).toBe('claim-exists')
    })

    it('answers after a kill that came before the answer, and makes no other', async () => {
      const first = await post('/v1/claims', body(), 'key-c')
      leaveUnfinished()
      const again = await post('/v1/claims', body(), 'key-c')
      expect([again.status, again.body]).toEqual([201, first.body])
    })

    it('that was refused after it was begun may take the same key', async () => {
      const wrong = { id: 'line-2', batch: 'b', quota: 5, csr: csrFor('line-3') }
      expect((await post('/v1/claims', wrong, 'key-e')).json['code']).toBe('csr-common-name-other')
      expect((await post('/v1/claims', { ...wrong, csr: csrFor('line-2') }, 'key-e')).status).toBe(201)
    })
  })

  it('for the next CA makes one, also after a kill that came before the answer', async () => {
    const rotate = () => post('/v1/ca/rotations', { kind: 'devices', introduceForSeconds: 0 }, 'key-r')
    const first = await rotate()
    expect(first).toMatchObject({ status: 201, json: { id: 'devices-2' } })
    expect((await rotate()).body).toBe(first.body)
    leaveUnfinished()
    expect((await rotate()).json).toMatchObject({ id: 'devices-2' })
    expect((await post('/v1/ca/rotations', { kind: 'services' }, 'key-r')).status).toBe(422)
    const bundle = await testbed.request('/v1/ca')
    expect(bundle.body).not.toContain('devices-3')
  })

  it('that was refused is not remembered: corrected, it may take the same key', async () => {
    await post('/v1/devices', { id: 'taken' }, 'key-6')
    expect((await post('/v1/devices', { id: 'taken' }, 'key-7')).json['code']).toBe('device-exists')
    expect((await post('/v1/devices', { id: '?' }, 'key-7')).json['code']).toBe('field-invalid')
    expect((await post('/v1/devices', { id: 'free' }, 'key-7')).status).toBe(201)
  })

  it.each(['', 'with blanks', 'x'.repeat(256), '"'])('needs a key that is one, not %j', async (key) => {
    expect((await post('/v1/devices', { id: 'bad-key' }, key)).json).toMatchObject({
      code: 'field-invalid',
      detail: expect.stringMatching(/^Idempotency-Key: must be 1 to 255 printable characters/),
    })
  })

  it('is forgotten after a day', async () => {
    await post('/v1/devices', { id: 'once-8' }, 'key-8')
    testbed.advance(day + 1000)
    expect((await post('/v1/devices', { id: 'once-9' }, 'key-8')).status).toBe(201)
  })
})
