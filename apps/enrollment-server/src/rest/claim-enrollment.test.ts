import { createCsr, generateKeyPair } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { estClaim, makeClaim, registerBatch, restClaim } from '../testing/claim.ts'
import { certificateIn, csrFor, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import { requestOver } from '../testing/tls.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const read = async (path: string) => testbed.request(path, { identity: testbed.operator })
const claim = async (id: string) => (await read(`/v1/claims/${id}`)).json
const refusedBy = (status: number, code: string) => ({
  rest: expect.objectContaining({ status, json: expect.objectContaining({ code }) as unknown }) as unknown,
  est: expect.objectContaining({ status, body: expect.stringMatching(new RegExp(`^${code}: `)) as unknown }),
})

describe('with a claim certificate', () => {
  it('devices of its batch enroll, each once, over EST and REST', async () => {
    const line = await makeClaim(testbed, 'both-ways', 'batch-1', { quota: 2 })
    await registerBatch(testbed, 'batch-1', ['one', 'two', 'three'])
    const one = certificateIn(await estClaim(testbed, line, csrFor('one')))
    expect(one.subjectAltNames).toEqual([{ type: 'uri', value: 'spiffe://fleet.example/device/one' }])
    const two = await restClaim(testbed, line, csrFor('two'))
    expect(two).toMatchObject({ status: 201, json: { deviceId: 'two' } })
    expect(await claim('both-ways')).toMatchObject({ used: 2, state: 'exhausted' })
    const refused = refusedBy(403, 'claim-exhausted')
    expect(await restClaim(testbed, line, csrFor('three'))).toEqual(refused.rest)
    expect(await estClaim(testbed, line, csrFor('three'))).toEqual(refused.est)
    expect((await read('/v1/devices/one')).json).toMatchObject({ state: 'enrolled', batch: 'batch-1' })
    const { json } = await read('/v1/audit?limit=1000')
    expect((json['items'] as { record: object }[]).map(({ record }) => record)).toContainEqual(
      expect.objectContaining({
        type: 'issued',
        deviceId: 'one',
        by: expect.objectContaining({ kind: 'claim', id: 'both-ways', serial: line.serial }) as unknown,
      }),
    )
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('over %s, in a resumed session as well', async (version) => {
    const name = version.replace('.', '-')
    const line = await makeClaim(testbed, name, name)
    await registerBatch(testbed, name, [`${name}-a`, `${name}-b`])
    const headers = { 'content-type': 'application/pkcs10' }
    const enroll = (id: string, session?: Buffer) =>
      requestOver(version, testbed, '/.well-known/est/simpleenroll', {
        method: 'POST',
        headers,
        body: csrFor(id),
        identity: line.identity,
        ...(session && { session }),
      })
    const first = await enroll(`${name}-a`)
    expect(first).toMatchObject({ status: 200, resumed: false })
    expect(await enroll(`${name}-b`, first.session)).toMatchObject({ status: 200, resumed: true })
  })

  it('no device of another batch, of none, or that does not exist, all with the same answer', async () => {
    const line = await makeClaim(testbed, 'narrow', 'batch-2')
    await registerBatch(testbed, 'batch-3', ['foreign'])
    await command(testbed, '/v1/devices', { id: 'loose' })
    const answers = await Promise.all(
      ['foreign', 'loose', 'nobody', 'narrow', 'operator'].map((id) => restClaim(testbed, line, csrFor(id))),
    )
    for (const answer of answers) {
      expect(answer).toEqual(refusedBy(403, 'claim-not-for-device').rest)
      expect(answer.body).toBe(answers[0]!.body)
    }
    const nameless = createCsr({ privateKey: generateKeyPair('P-256').privateKey }).toString('base64')
    expect(await restClaim(testbed, line, nameless)).toEqual(refusedBy(400, 'csr-common-name-invalid').rest)
    expect(await claim('narrow')).toMatchObject({ used: 0 })
  })

  it('no device that was enrolled before, whatever with', async () => {
    const line = await makeClaim(testbed, 'late-line', 'batch-4')
    const token = await testbed.token('early', { batch: 'batch-4' })
    expect((await simpleEnroll(testbed, 'early', token, csrFor('early'))).status).toBe(200)
    expect(await restClaim(testbed, line, csrFor('early'))).toEqual(refusedBy(409, 'device-enrolled').rest)
    expect(await claim('late-line')).toMatchObject({ used: 0 })
  })

  it('no device that is suspended, and none for a service', async () => {
    const line = await makeClaim(testbed, 'strict-line', 'batch-5')
    await registerBatch(testbed, 'batch-5', ['paused'])
    await command(testbed, '/v1/devices/paused/suspend')
    await command(testbed, '/v1/devices', { id: 'collector', profile: 'service', batch: 'batch-5' })
    expect(await restClaim(testbed, line, csrFor('paused'))).toEqual(refusedBy(403, 'device-inactive').rest)
    expect(await restClaim(testbed, line, csrFor('collector'))).toEqual(
      refusedBy(403, 'role-not-allowed').rest,
    )
  })

  it('a device that was revoked before it had a certificate, which is kept out by suspending it', async () => {
    const line = await makeClaim(testbed, 'early-line', 'batch-14')
    await registerBatch(testbed, 'batch-14', ['unborn'])
    expect((await command(testbed, '/v1/devices/unborn/revoke')).status).toBe(200)
    await command(testbed, '/v1/devices/unborn/suspend')
    expect(await restClaim(testbed, line, csrFor('unborn'))).toEqual(refusedBy(403, 'device-inactive').rest)
    await command(testbed, '/v1/devices/unborn/resume')
    expect((await restClaim(testbed, line, csrFor('unborn'))).status).toBe(201)
  })

  it('no device gets the key of the claim itself', async () => {
    const line = await makeClaim(testbed, 'lazy-line', 'batch-6')
    await registerBatch(testbed, 'batch-6', ['lazy'])
    const csr = csrFor('lazy', { privateKey: line.privateKey })
    expect(await restClaim(testbed, line, csr)).toEqual(refusedBy(409, 'key-in-use').rest)
  })

  it('a retry with the same key within ten minutes gets the same certificate, and costs nothing', async () => {
    const line = await makeClaim(testbed, 'flaky-line', 'batch-7')
    await registerBatch(testbed, 'batch-7', ['flaky'])
    const { privateKey } = generateKeyPair('P-256')
    const csr = csrFor('flaky', { privateKey })
    const first = await restClaim(testbed, line, csr)
    expect(await restClaim(testbed, line, csr)).toMatchObject({ status: 201, body: first.body })
    expect(await restClaim(testbed, line, csrFor('flaky', { privateKey }))).toMatchObject({
      body: first.body,
    })
    expect(await restClaim(testbed, line, csrFor('flaky'))).toEqual(refusedBy(409, 'device-enrolled').rest)
    expect(await claim('flaky-line')).toMatchObject({ used: 1 })
    const other = await makeClaim(testbed, 'other-line', 'batch-7')
    expect(await restClaim(testbed, other, csr)).toEqual(refusedBy(409, 'device-enrolled').rest)
    await command(testbed, `/v1/certificates/${String(first.json['serial'])}/revoke`)
    expect(await restClaim(testbed, line, csr)).toEqual(refusedBy(409, 'device-enrolled').rest)
  })

  it('a retry after ten minutes does not', async () => {
    const own = await openTestbed()
    try {
      const line = await makeClaim(own, 'slow-line', 'b')
      await registerBatch(own, 'b', ['slow'])
      const csr = csrFor('slow')
      expect((await restClaim(own, line, csr)).status).toBe(201)
      own.advance(600_000)
      expect(await restClaim(own, line, csr)).toEqual(refusedBy(409, 'device-enrolled').rest)
    } finally {
      await own.close()
    }
  })

  it('fifty devices at once get as many certificates as the quota says, not one more', async () => {
    const quota = 20
    const line = await makeClaim(testbed, 'busy-line', 'batch-8', { quota })
    const ids = Array.from({ length: 50 }, (_, n) => `busy-${n}`)
    await registerBatch(testbed, 'batch-8', ids)
    const answers = await Promise.all(
      ids.map((id, n) => (n % 2 ? restClaim : estClaim)(testbed, line, csrFor(id))),
    )
    const statuses = answers.map(({ status }) => (status === 201 ? 200 : status))
    expect(statuses.filter((status) => status === 200)).toHaveLength(quota)
    expect(statuses.filter((status) => status === 403)).toHaveLength(50 - quota)
    expect(await claim('busy-line')).toMatchObject({ used: quota, state: 'exhausted' })
  })

  it('fifty requests at once for one device, with different keys, get one certificate', async () => {
    const line = await makeClaim(testbed, 'crowded', 'batch-9', { quota: 50 })
    await registerBatch(testbed, 'batch-9', ['single-unit'])
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => restClaim(testbed, line, csrFor('single-unit'))),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ json }) => json['code'] === 'device-enrolled')).toHaveLength(49)
    expect(await claim('crowded')).toMatchObject({ used: 1 })
  })

  it('nothing but enrollment is reached', async () => {
    const line = await makeClaim(testbed, 'curious-line', 'b')
    const document = (await testbed.request('/v1/openapi.json')).json as {
      paths: Record<string, Record<string, { security?: Record<string, unknown>[] }>>
    }
    const asked: string[] = []
    for (const [template, methods] of Object.entries(document.paths)) {
      for (const [method, { security = [] }] of Object.entries(methods)) {
        // Public ones say nothing that is worth a credential.
        if (security.length === 0 || template === '/v1/enrollments') continue
        const url = template.replace('{serial}', line.serial).replace(/\{\w+\}/g, 'curious-line')
        const json = method === 'post' && { json: {} }
        const { identity } = line
        const answer = await testbed.request(url, { method: method.toUpperCase(), identity, ...json })
        asked.push(`${method} ${template}: ${answer.status} ${String(answer.json['code'])}`)
      }
    }
    expect(asked.length).toBeGreaterThan(15)
    expect(asked.filter((one) => !one.endsWith(': 403 role-not-allowed'))).toEqual([])
    const renewal = await testbed.request('/.well-known/est/simplereenroll', {
      method: 'POST',
      headers: { 'content-type': 'application/pkcs10' },
      body: csrFor('curious-line'),
      identity: line.identity,
    })
    expect(renewal).toEqual(refusedBy(403, 'role-not-allowed').est)
  })

  it('a token that is sent along counts, not the claim', async () => {
    const line = await makeClaim(testbed, 'mixed', 'batch-10')
    const token = await testbed.token('mixed-device')
    const headers = { authorization: `Bearer ${token}` }
    const answer = await testbed.request('/v1/enrollments', {
      method: 'POST',
      headers,
      json: { csr: csrFor('mixed-device') },
      identity: line.identity,
    })
    expect(answer).toMatchObject({ status: 201, json: { deviceId: 'mixed-device' } })
    expect(await claim('mixed')).toMatchObject({ used: 0 })
  })

  it('there is no token for it', async () => {
    await makeClaim(testbed, 'tokenless', 'b')
    expect(await command(testbed, '/v1/devices/tokenless/tokens', {})).toMatchObject({
      status: 403,
      json: { code: 'role-not-allowed' },
    })
  })
})

describe('a claim that has ended', () => {
  it('because it was revoked enrolls nobody, on an open connection either', async () => {
    const line = await makeClaim(testbed, 'stolen-line', 'batch-11')
    await registerBatch(testbed, 'batch-11', ['safe', 'unsafe'])
    expect((await restClaim(testbed, line, csrFor('safe'))).status).toBe(201)
    const revoked = await command(testbed, '/v1/claims/stolen-line/revoke', { reason: 'keyCompromise' })
    expect(revoked).toMatchObject({ status: 200, json: { state: 'revoked', used: 1 } })
    const refused = refusedBy(403, 'certificate-inactive')
    expect(await restClaim(testbed, line, csrFor('unsafe'))).toEqual(refused.rest)
    expect(await estClaim(testbed, line, csrFor('unsafe'))).toEqual(refused.est)
    const again = await command(testbed, '/v1/claims/stolen-line/revoke')
    expect(again.json).toMatchObject({ state: 'revoked' })
    const { json } = await read(`/v1/certificates/${line.serial}`)
    expect(json).toMatchObject({ status: 'revoked', revocation: { reason: 'keyCompromise' } })
  })

  it('because it is suspended enrolls nobody until it is resumed', async () => {
    const line = await makeClaim(testbed, 'paused-line', 'batch-12')
    await registerBatch(testbed, 'batch-12', ['waiting'])
    await command(testbed, '/v1/devices/paused-line/suspend')
    expect(await claim('paused-line')).toMatchObject({ state: 'suspended' })
    expect((await restClaim(testbed, line, csrFor('waiting'))).status).toBe(403)
    await command(testbed, '/v1/devices/paused-line/resume')
    expect((await restClaim(testbed, line, csrFor('waiting'))).status).toBe(201)
  })

  it('because it expired enrolls nobody, and is told so', async () => {
    const own = await openTestbed({ renewalGrace: 86_400_000 })
    try {
      const line = await makeClaim(own, 'old-line', 'b', { expiresInSeconds: 3600 })
      await registerBatch(own, 'b', ['tardy', 'prompt'])
      expect((await restClaim(own, line, csrFor('prompt'))).status).toBe(201)
      own.advance(3_600_001)
      const refused = refusedBy(403, 'certificate-refused')
      expect(await restClaim(own, line, csrFor('tardy'))).toEqual(refused.rest)
      own.reconnect()
      expect(await estClaim(own, line, csrFor('tardy'))).toEqual(refused.est)
    } finally {
      await own.close()
    }
  })

  it('is not known: unknown ids are 404', async () => {
    expect(await read('/v1/claims/nothing')).toMatchObject({ status: 404, json: { code: 'claim-unknown' } })
    expect(await command(testbed, '/v1/claims/nothing/revoke')).toMatchObject({ status: 404 })
  })

  it('does not take the certificates of its devices along, whose tokens still work', async () => {
    const line = await makeClaim(testbed, 'gone-line', 'batch-13')
    await registerBatch(testbed, 'batch-13', ['kept-one'])
    const { json } = await restClaim(testbed, line, csrFor('kept-one'))
    await command(testbed, '/v1/claims/gone-line/revoke')
    expect((await read(`/v1/certificates/${String(json['serial'])}`)).json).toMatchObject({
      status: 'issued',
    })
    const token = (await command(testbed, '/v1/devices/kept-one/tokens', {})).json['token'] as string
    expect((await restEnroll(testbed, token, csrFor('kept-one'))).status).toBe(201)
  })
})
