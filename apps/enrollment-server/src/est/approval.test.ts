import { createPublicKey } from 'node:crypto'
import { createCsr, generateKeyPair, publicKeyFingerprint } from '@fleetroot/pki'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { approvalLimits } from '../registry/approval-table.ts'
import { certificateIn, csrFor, enrolledDevice, simpleEnroll } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import type { Answer } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

const day = 86_400_000
let testbed: Testbed
let count = 0
beforeAll(async () => {
  testbed = await openTestbed({
    approvals: true,
    operatorLifetime: 365 * day,
    serviceLifetime: 365 * day,
    deviceLifetime: 365 * day,
  })
})
afterAll(() => testbed.close())
// No test is to meet the limits of another.
beforeEach(() => testbed.advance(60_000))

const est = '/.well-known/est'
const ask = (csr: string, path = `${est}/simpleenroll`, on = testbed): Promise<Answer> =>
  on.request(path, { method: 'POST', headers: { 'content-type': 'application/pkcs10' }, body: csr })
const askRest = (csr: string): Promise<Answer> =>
  testbed.request('/v1/enrollments', { method: 'POST', json: { csr } })

/** A device that nobody has heard of, with a key of its own. */
function stranger(id = `stranger-${(count += 1)}`) {
  const { privateKey } = generateKeyPair('P-256')
  const key = publicKeyFingerprint(createPublicKey(privateKey))
  return { id, key, csr: createCsr({ privateKey, commonName: id }).toString('base64'), privateKey }
}
const decide = (key: string, decision: 'approve' | 'deny', json: object = {}): Promise<Answer> =>
  command(testbed, `/v1/approvals/${key}/${decision}`, json)
async function listed(query = ''): Promise<Record<string, unknown>[]> {
  const { json } = await testbed.request(`/v1/approvals${query}`, { identity: testbed.operator })
  return json['items'] as Record<string, unknown>[]
}
async function audited(key: string): Promise<unknown[]> {
  const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
  return (json['items'] as { record: Record<string, unknown> }[])
    .filter(({ record }) => record['publicKey'] === key)
    .map(({ record }) => record['type'])
}

describe('a device that nobody knows', () => {
  it('is approved as it asks, or the operator is told that nobody has asked: no approval is lost', async () => {
    for (let n = 0; n < 100; n += 1) {
      testbed.advance(60_000)
      const { key, csr } = stranger()
      const [, decided] = await Promise.all([ask(csr), decide(key, 'approve')])
      if (decided.status === 200) expect(decided.json).toMatchObject({ state: 'approved' })
      else expect(decided).toMatchObject({ status: 404, json: { code: 'approval-unknown' } })
      expect((await decide(key, 'approve')).json).toMatchObject({ state: 'approved' })
      expect((await ask(csr)).status).toBe(200)
    }
  })

  it('asks, waits, is approved, and gets its certificate for the same key, as often as it asks', async () => {
    const { id, key, csr, privateKey } = stranger()
    const first = await ask(csr)
    expect(first).toMatchObject({
      status: 202,
      headers: { 'retry-after': '60', 'content-type': 'text/plain; charset=utf-8' },
      body: 'approval-pending: approval: an operator has to approve it; ask again with the same key\n',
    })
    // Every 202 says when to ask again (RFC 7030, section 4.2.3).
    expect(await ask(csr)).toMatchObject({ status: 202, headers: { 'retry-after': '60' } })
    const [waiting] = (await listed('?state=pending')).filter((item) => item['id'] === key)
    expect(waiting).toMatchObject({ deviceId: id, profile: 'device', state: 'pending', address: '127.0.0.1' })

    expect(await decide(key, 'approve', { labels: { site: 'north' } })).toMatchObject({
      status: 200,
      json: { state: 'approved', deviceId: id },
    })
    const issued = certificateIn(await ask(csr))
    expect(issued.publicKeyFingerprint).toBe(key)
    // Another CSR for the same key: what counts is the key.
    const again = certificateIn(await ask(createCsr({ privateKey, commonName: id }).toString('base64')))
    expect(again.serial).toBe(issued.serial)
    const device = await testbed.request(`/v1/devices/${id}`, { identity: testbed.operator })
    expect(device.json).toMatchObject({ state: 'enrolled', labels: { site: 'north' } })
    expect(await audited(key)).toEqual(['approval-asked', 'approval-approved', 'issued'])
    expect((await listed(`?state=approved`)).find((item) => item['id'] === key)?.['serial']).toBe(
      issued.serial,
    )
  })

  it.each(['the device', 'many devices'])(
    'that was approved and has not asked since gets nothing once %s are revoked, which is in the audit',
    async (how) => {
      const { id, key, csr } = stranger()
      await ask(csr)
      await decide(key, 'approve')
      const revoked =
        how === 'the device'
          ? await command(testbed, `/v1/devices/${id}/revoke`, {})
          : await command(testbed, '/v1/certificates/revocations', { deviceIds: [id] })
      expect(revoked.status).toBe(200)
      const answer = await ask(csr)
      expect(answer.status).not.toBe(200)
      expect((await listed()).filter((item) => item['id'] === key && item['state'] === 'approved')).toEqual(
        [],
      )
      const { json } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
      expect((json['items'] as { record: object }[]).map(({ record }) => record)).toContainEqual(
        expect.objectContaining({ type: 'revoked', deviceId: id, approvals: 1 }),
      )
    },
  )

  it('polls in REST as it does in EST', async () => {
    const { id, key, csr } = stranger()
    expect(await askRest(csr)).toMatchObject({
      status: 202,
      headers: { 'retry-after': '60' },
      json: { code: 'approval-pending', status: 202 },
    })
    await decide(key, 'approve')
    expect(await askRest(csr)).toMatchObject({ status: 201, json: { deviceId: id } })
  })

  it('is denied, stays denied for a while, and may ask again after it', async () => {
    const { key, csr } = stranger()
    await ask(csr)
    expect((await decide(key, 'deny')).json).toMatchObject({ state: 'denied' })
    for (const ms of [0, 7 * day - 60_000]) {
      testbed.advance(ms)
      expect(await ask(csr)).toMatchObject({ status: 403, body: expect.stringMatching(/^approval-denied: /) })
    }
    testbed.advance(60_000)
    expect((await ask(csr)).status).toBe(202)
  })

  it('that was denied by mistake can be approved, and one that was approved can only be taken out', async () => {
    const { id, key, csr } = stranger()
    await ask(csr)
    await decide(key, 'deny')
    expect((await decide(key, 'approve')).status).toBe(200)
    expect((await decide(key, 'approve')).status).toBe(200)
    expect((await decide(key, 'deny')).json).toMatchObject({
      code: 'approval-settled',
      detail: `id: it was approved; suspend or retire the device ${id} instead`,
    })
    await command(testbed, `/v1/devices/${id}/suspend`, {})
    expect((await ask(csr)).body).toMatch(/^device-inactive: /)
  })

  it('is forgotten when nobody decides, and an approval that nobody fetches ends', async () => {
    const [waiting, approved] = [stranger(), stranger()]
    await ask(waiting.csr)
    await ask(approved.csr)
    await decide(approved.key, 'approve')
    testbed.advance(7 * day)
    expect((await decide(waiting.key, 'approve')).json['code']).toBe('approval-unknown')
    // Its id is in the inventory now: a token helps.
    expect((await ask(approved.csr)).body).toMatch(/^credential-missing: .*is in the inventory/)
  })

  it('gets nothing for a certificate that has expired', async () => {
    const short = await openTestbed({ approvals: true, deviceLifetime: 3_600_000 })
    const { key, csr } = stranger()
    await ask(csr, undefined, short)
    await command(short, `/v1/approvals/${key}/approve`, {})
    expect((await ask(csr, undefined, short)).status).toBe(200)
    short.advance(3_600_001)
    expect((await ask(csr, undefined, short)).body).toMatch(/^device-enrolled: .*ask for a new token/)
    await short.close()
  })

  it('gets nothing for a revoked certificate', async () => {
    const { id, key, csr } = stranger()
    await ask(csr)
    await decide(key, 'approve')
    await ask(csr)
    await command(testbed, `/v1/devices/${id}/revoke`, {})
    expect((await ask(csr)).body).toMatch(/^device-enrolled: /)
  })
})

describe('nobody gets by asking', () => {
  it('the id of a device of the inventory, which has to send its token', async () => {
    await enrolledDevice(testbed, 'taken')
    const answer = await ask(csrFor('taken'))
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Basic realm="est"')
    expect((await listed()).some((item) => item['deviceId'] === 'taken')).toBe(false)
  })

  it('what was approved for another key, though it has the same id', async () => {
    const [honest, thief] = [stranger('contested'), stranger('contested')]
    await ask(thief.csr)
    await ask(honest.csr)
    await decide(honest.key, 'approve')
    expect((await ask(thief.csr)).status).toBe(202)
    expect((await decide(thief.key, 'approve')).json).toMatchObject({
      status: 409,
      code: 'device-exists',
      detail: 'id: contested is in the inventory by now; deny this, and look who has asked',
    })
    expect(certificateIn(await ask(honest.csr)).publicKeyFingerprint).toBe(honest.key)
  })

  it('another id than that which the key has asked for', async () => {
    const { key, csr, privateKey } = stranger()
    await ask(csr)
    await decide(key, 'approve')
    const greedy = createCsr({ privateKey, commonName: 'somebody-else' }).toString('base64')
    expect((await ask(greedy)).body).toMatch(
      /^csr-common-name-other: csr: this key has asked for the id stranger-/,
    )
  })

  it.each([
    ['the server itself', 'enrollment-server', ''],
    ['an OCSP responder', 'ocsp-devices-7', ''],
    ['a service', 'new-service', '/service'],
    ['an operator', 'new-operator', '/operator'],
    ['a claim', 'new-claim', '/claim'],
  ])('the identity of %s', async (_what, id, label) => {
    const answer = await ask(csrFor(id), `${est}${label}/simpleenroll`)
    expect([401, 403, 404, 409]).toContain(answer.status)
    expect((await listed()).some((item) => item['deviceId'] === id)).toBe(false)
  })

  it('anything with a CSR that would be refused', async () => {
    for (const csr of [
      csrFor('asking', { subjectAltNames: [{ type: 'dns', value: 'x.example' }] }),
      csrFor('asking', { challengePassword: 'x' }),
      'MIIB',
    ]) {
      expect((await ask(csr)).status).toBeGreaterThanOrEqual(400)
    }
    const { privateKey } = await enrolledDevice(testbed, 'owner-of-key')
    expect((await ask(csrFor('asking', { privateKey }))).body).toMatch(/^key-in-use: /)
    expect((await listed()).some((item) => item['deviceId'] === 'asking')).toBe(false)
  })

  it('more than its share of the queue', async () => {
    const busy = await openTestbed({ approvals: true })
    const statuses = []
    for (let at = 0; at < 40; at += 1)
      statuses.push((await ask(csrFor(`flood-${at}`), undefined, busy)).status)
    expect(statuses.filter((status) => status === 202)).toHaveLength(approvalLimits.newOfAddressPerMinute)
    const last = await ask(csrFor('flood-last'), undefined, busy)
    expect(last).toMatchObject({
      status: 429,
      headers: { 'retry-after': '60' },
      body: expect.stringMatching(/^approvals-limited: /),
    })
    for (let minute = 0; minute < 5; minute += 1) {
      busy.advance(60_000)
      for (let at = 0; at < 25; at += 1) await ask(csrFor(`flood-${minute}-${at}`), undefined, busy)
    }
    const { json } = await busy.request('/v1/approvals?limit=1000', { identity: busy.operator })
    expect(json['items']).toHaveLength(approvalLimits.pendingOfAddress)
    // A token needs no queue.
    expect((await simpleEnroll(busy, 'known', await busy.token('known'), csrFor('known'))).status).toBe(200)
    await busy.close()
  })
})

describe('the queue', () => {
  it('is for operators', async () => {
    const { identity } = await enrolledDevice(testbed, 'curious')
    const { key, csr } = stranger()
    await ask(csr)
    for (const path of ['', `/${key}`]) {
      expect((await testbed.request(`/v1/approvals${path}`, { identity })).status).toBe(403)
      expect((await testbed.request(`/v1/approvals${path}`)).status).toBe(403)
    }
    const path = `/v1/approvals/${key}/approve`
    expect((await testbed.request(path, { method: 'POST', identity, json: {} })).status).toBe(403)
    expect((await ask(csr)).status).toBe(202)
  })

  it('comes in pages, and names what it does not know', async () => {
    for (let at = 0; at < 3; at += 1) await ask(stranger().csr)
    const all = await listed()
    const page = await testbed.request('/v1/approvals?limit=2', { identity: testbed.operator })
    const next = await testbed.request(
      `/v1/approvals?limit=1000&cursor=${page.json['nextCursor'] as string}`,
      { identity: testbed.operator },
    )
    expect([...(page.json['items'] as object[]), ...(next.json['items'] as object[])]).toEqual(all)
    expect((await decide('0'.repeat(64), 'approve')).json['code']).toBe('approval-unknown')
    expect((await decide('short', 'deny')).json['code']).toBe('field-invalid')
  })

  it('and what was decided is there after the server was killed', async () => {
    const { key, csr } = stranger()
    await ask(csr)
    await decide(key, 'approve')
    // Another process on the same files, as after a kill: nothing but what was committed.
    const second = await openTestbed({ approvals: true }, 0, testbed)
    expect(certificateIn(await ask(csr, undefined, second)).publicKeyFingerprint).toBe(key)
    await second.close()
  })
})

describe('unless it is switched on', () => {
  it('nobody may ask', async () => {
    const closed = await openTestbed()
    expect(await ask(csrFor('hopeful'), undefined, closed)).toMatchObject({
      status: 401,
      body: expect.stringMatching(/^credential-missing: /),
    })
    await closed.close()
  })
})
