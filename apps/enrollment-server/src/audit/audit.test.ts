import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'
import { type AuditHead, type AuditRecord, verifyAuditChain } from '@fleetroot/service'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, csrFor, enrolledDevice, restEnroll } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import { createRefusalAudit } from './refusals.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

async function exported(after = 0): Promise<AuditRecord[]> {
  const { body } = await testbed.request(`/v1/audit/export?after=${after}`, { identity: testbed.operator })
  return body
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as AuditRecord)
}

async function head(): Promise<AuditHead> {
  const { json } = await testbed.request('/v1/audit?limit=1', { identity: testbed.operator })
  return json['head'] as AuditHead
}

describe('the audit', () => {
  it('begins with what the server runs with, secrets left out', async () => {
    const records = await exported()
    expect(records[0]?.record['config']).toContain('"trustDomain":"fleet.example"')
    expect(JSON.stringify(records)).not.toContain('a passphrase for tests')
    expect(records.slice(0, 2).map(({ record }) => record['type'])).toEqual(['config-loaded', 'started'])
  })

  it('has every decision about a device, with who took it', async () => {
    const { seq } = await head()
    const { certificate } = await enrolledDevice(testbed, 'watched')
    for (const change of ['suspend', 'resume', 'revoke', 'retire']) {
      await command(testbed, `/v1/devices/watched/${change}`)
    }
    const records = (await exported(seq)).map(({ record }) => record)
    expect(records.map(({ type }) => type)).toEqual([
      'registered',
      'token-made',
      'issued',
      'suspended',
      'resumed',
      'revoked',
      'retired',
    ])
    expect(records.map(({ deviceId }) => deviceId)).toEqual(records.map(() => 'watched'))
    const [registered, , issued, suspended] = records
    expect(registered?.['by']).toMatchObject({ kind: 'operator', id: 'operator', address: '127.0.0.1' })
    expect(issued).toMatchObject({
      by: { kind: 'device', id: 'watched' },
      serial: certificate.serial,
      protocol: 'est',
    })
    expect(suspended).toMatchObject({
      by: { kind: 'operator', serial: expect.stringMatching(/^[0-9a-f]+$/) },
      certificates: [{ serial: certificate.serial, reason: 'certificateHold' }],
    })
  })

  it('has what was refused, with the code, and what was given again', async () => {
    const { seq } = await head()
    const token = await testbed.token('retrying')
    const csr = csrFor('retrying')
    for (let n = 0; n < 2; n++) await restEnroll(testbed, token, csr)
    await restEnroll(testbed, token, csrFor('retrying'))
    await testbed.request('/v1/devices')
    await testbed.request('/.well-known/est/simpleenroll', {
      method: 'POST',
      headers: { 'content-type': 'application/pkcs10', ...basic('retrying', 'A'.repeat(43)) },
      body: csr,
    })
    const records = (await exported(seq)).map(({ record }) => record)
    expect(records.slice(3)).toMatchObject([
      { type: 'repeated', deviceId: 'retrying', protocol: 'rest' },
      { type: 'refused', code: 'token-used', deviceId: 'retrying' },
      { type: 'refused', code: 'certificate-required', path: '/v1/devices' },
      { type: 'refused', code: 'token-invalid', protocol: 'est' },
    ])
    expect(JSON.stringify(records)).not.toContain(token)
  })

  it('is a chain that verifies as it is exported, and in pages', async () => {
    const records = await exported()
    expect(verifyAuditChain(records, { head: await head() })).toMatchObject({ ok: true })
    const { json } = await testbed.request('/v1/audit?after=2&limit=3', { identity: testbed.operator })
    const second = records[1]
    const after = { seq: 2, hash: second?.hash ?? '' }
    expect(json['items']).toEqual(records.slice(2, 5))
    expect(verifyAuditChain(json['items'] as AuditRecord[], { after })).toMatchObject({ ok: true })
  })

  it('shows what was done to it in the database', async () => {
    const before = await head()
    const database = new DatabaseSync(testbed.file('registry.db'), { timeout: 10_000 })
    const row = database.prepare("SELECT seq, record FROM audit WHERE record LIKE '%watched%' LIMIT 1").get()
    const seq = Number(row?.['seq'])
    const text = String(row?.['record'])
    const edit = database.prepare('UPDATE audit SET record = ?, hash = ? WHERE seq = ?')
    const hashed = String(database.prepare('SELECT hash FROM audit WHERE seq = ?').get(seq)?.['hash'])

    edit.run(text.replace('watched', 'ignored'), hashed, seq)
    expect(verifyAuditChain(await exported())).toEqual({ ok: false, seq, problem: 'changed' })

    // The forger computes a new hash: the next record gives it away.
    const previous = database.prepare('SELECT hash FROM audit WHERE seq = ?').get(seq - 1)
    const forged = createHash('sha256')
      .update(Buffer.from(String(previous?.['hash']), 'hex'))
      .update(text.replace('watched', 'ignored'))
      .digest('hex')
    edit.run(text.replace('watched', 'ignored'), forged, seq)
    expect(verifyAuditChain(await exported())).toEqual({ ok: false, seq: seq + 1, problem: 'changed' })

    edit.run(text, hashed, seq)
    expect(verifyAuditChain(await exported(), { head: before })).toMatchObject({ ok: true })
    database.prepare('DELETE FROM audit WHERE seq > ?').run(before.seq - 2)
    expect(verifyAuditChain(await exported(), { head: before })).toEqual({
      ok: false,
      seq: before.seq - 1,
      problem: 'truncated',
    })
    database.close()
  })

  it('is for operators', async () => {
    const { identity } = await enrolledDevice(testbed, 'nosy', { profile: 'service' })
    for (const path of ['/v1/audit', '/v1/audit/export']) {
      expect((await testbed.request(path, { identity })).json['code']).toBe('role-not-allowed')
      expect((await testbed.request(path)).json['code']).toBe('certificate-required')
    }
    const bad = await testbed.request('/v1/audit/export?after=x', { identity: testbed.operator })
    expect(bad.json['code']).toBe('field-invalid')
  })
})

describe('refusals without end', () => {
  it('are written at a limited rate, and how many were left out is written too', async () => {
    const written: string[] = []
    let clock = 0
    const { refused } = createRefusalAudit({
      registry: {
        appendAudit: async ({ type, about }) => {
          written.push(type === 'refused' ? type : `${type} ${JSON.stringify(about)}`)
          return { seq: written.length, hash: '' }
        },
      },
      now: () => new Date(),
      onError: () => {},
      clockMs: () => clock,
    })
    for (let n = 0; n < 1000; n++) refused({ code: 'token-invalid' })
    expect(written).toHaveLength(200)
    clock = 1000
    refused({ code: 'token-invalid' })
    expect(written.slice(200)).toEqual(['refusals-left-out {"count":800}', 'refused'])
  })

  it('are in the audit when it is read after them, though their answers do not wait', async () => {
    const order: string[] = []
    const disk = Promise.withResolvers<{ seq: number; hash: string }>()
    const { refused, written } = createRefusalAudit({
      registry: { appendAudit: () => disk.promise },
      now: () => new Date(),
      onError: () => {},
    })
    await written()
    refused({ code: 'token-invalid' })
    const read = written().then(() => order.push('read'))
    order.push('answered')
    disk.resolve({ seq: 1, hash: '' })
    await disk.promise.then(() => order.push('committed'))
    await read
    expect(order).toEqual(['answered', 'committed', 'read'])
  })
})
