import { exportPrivateKey, generateKeyPair } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificateIn, csrFor, enrolledDevice } from '../testing/enroll.ts'
import { certificateStatus, command } from '../testing/operator.ts'
import type { Answer, Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

const day = 24 * 60 * 60 * 1000

let testbed: Testbed
let broker: Identity
beforeAll(async () => {
  testbed = await openTestbed({ operatorLifetime: 10 * day }, 2 * day)
  broker = (await enrolledDevice(testbed, 'broker-2', { profile: 'broker', dns: ['localhost'] })).identity
})
afterAll(() => testbed.close())

const report = (serials: readonly string[], identity: Identity | undefined = broker): Promise<Answer> =>
  testbed.request('/v1/certificates/activations', {
    method: 'POST',
    json: { serials },
    ...(identity && { identity }),
  })
const stateOf = async (id: string) =>
  (await testbed.request(`/v1/devices/${id}`, { identity: testbed.operator })).json['state']
const statusOf = async (serial: string) => (await certificateStatus(testbed, serial))['status']
const recordsOf = async (type: string) =>
  (
    (await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })).json['items'] as {
      record: { type: string; deviceId?: string }
    }[]
  )
    .map(({ record }) => record)
    .filter((record) => record.type === type)

/** Renews and resolves to the identity that comes next; without one, to the refusal. */
async function renew(
  id: string,
  identity: Identity,
): Promise<{ answer: Answer; next: () => { identity: Identity; serial: string } }> {
  const { privateKey } = generateKeyPair('P-256')
  const answer = await testbed.request('/.well-known/est/simplereenroll', {
    method: 'POST',
    headers: { 'content-type': 'application/pkcs10' },
    body: csrFor(id, { privateKey }),
    identity,
  })
  return {
    answer,
    next: () => {
      const { pem, serial } = certificateIn(answer)
      return { identity: { key: exportPrivateKey(privateKey), cert: pem }, serial }
    },
  }
}

describe('a certificate that has connected', () => {
  it('is active, and so is its device; the audit says who said so', async () => {
    const { certificate } = await enrolledDevice(testbed, 'pump-1')
    expect((await report([certificate.serial])).json).toEqual({ activated: 1, unchanged: 0, unknown: 0 })
    expect([await stateOf('pump-1'), await statusOf(certificate.serial)]).toEqual(['active', 'active'])
    expect(await recordsOf('activated')).toContainEqual(
      expect.objectContaining({
        deviceId: 'pump-1',
        serial: certificate.serial,
        by: expect.objectContaining({ kind: 'service', id: 'broker-2' }),
      }),
    )
  })

  it('is so once: a report that is repeated changes nothing and leaves no record', async () => {
    const { certificate } = await enrolledDevice(testbed, 'pump-2')
    await report([certificate.serial])
    const before = (await recordsOf('activated')).length
    expect((await report([certificate.serial, 'abcdef'])).json).toEqual({
      activated: 0,
      unchanged: 1,
      unknown: 1,
    })
    expect(await recordsOf('activated')).toHaveLength(before)
  })

  it('is listed by that status', async () => {
    const { certificate } = await enrolledDevice(testbed, 'pump-3')
    const listed = async (status: string) =>
      (
        await testbed.request(`/v1/certificates?deviceId=pump-3&status=${status}`, {
          identity: testbed.operator,
        })
      ).json['items'] as { serial: string }[]
    expect(await listed('issued')).toHaveLength(1)
    await report([certificate.serial])
    expect([(await listed('issued')).length, (await listed('active')).length]).toEqual([0, 1])
  })

  it('supersedes those that it replaced, however many: they renew nothing any more, and are not revoked', async () => {
    const first = await enrolledDevice(testbed, 'pump-4')
    await report([first.certificate.serial])
    const second = (await renew('pump-4', first.identity)).next()
    const third = (await renew('pump-4', second.identity)).next()
    expect(await statusOf(first.certificate.serial)).toBe('active')
    await report([third.serial])
    expect(await statusOf(first.certificate.serial)).toBe('superseded')
    expect(await statusOf(second.serial)).toBe('superseded')
    for (const { identity } of [first, second]) {
      expect((await renew('pump-4', identity)).answer).toMatchObject({
        status: 403,
        body: 'certificate-inactive: certificate: it is superseded\n',
      })
    }
    expect((await certificateStatus(testbed, second.serial))['revocation']).toBeUndefined()
    expect((await renew('pump-4', third.identity)).answer.status).toBe(200)
    // Coming back does not bring it back.
    expect((await report([second.serial])).json).toMatchObject({ activated: 0, unchanged: 1 })
    expect(await statusOf(second.serial)).toBe('superseded')
  })

  it('supersedes what the device had before a token brought it back', async () => {
    const lost = await enrolledDevice(testbed, 'pump-5')
    const { token } = (await command(testbed, '/v1/devices/pump-5/tokens', {})).json as { token: string }
    const answer = await testbed.request('/v1/enrollments', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      json: { csr: csrFor('pump-5') },
    })
    await report([answer.json['serial'] as string])
    expect(await statusOf(lost.certificate.serial)).toBe('superseded')
  })

  it('of a service leaves the certificates of its other instances alone', async () => {
    const one = await enrolledDevice(testbed, 'collector', { profile: 'service' })
    const { token } = (await command(testbed, '/v1/devices/collector/tokens', {})).json as { token: string }
    const other = await testbed.request('/v1/enrollments', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}` },
      json: { csr: csrFor('collector') },
    })
    await report([other.json['serial'] as string])
    expect(await statusOf(one.certificate.serial)).toBe('issued')
  })

  it('of a suspended device makes it active when it is resumed, and a revoked one changes nothing', async () => {
    const held = await enrolledDevice(testbed, 'pump-6')
    await command(testbed, '/v1/devices/pump-6/suspend')
    await report([held.certificate.serial])
    expect(await stateOf('pump-6')).toBe('suspended')
    await command(testbed, '/v1/devices/pump-6/resume')
    expect(await stateOf('pump-6')).toBe('active')

    const { certificate } = await enrolledDevice(testbed, 'pump-7')
    await command(testbed, '/v1/devices/pump-7/revoke', {})
    expect((await report([certificate.serial])).json).toMatchObject({ activated: 0, unchanged: 1 })
    expect([await stateOf('pump-7'), await statusOf(certificate.serial)]).toEqual(['enrolled', 'revoked'])
  })
})

describe('a certificate that was replaced by one that never connected', () => {
  it('is superseded after a day, and still renews itself: the answer may have been lost', async () => {
    const first = await enrolledDevice(testbed, 'pump-10')
    const second = (await renew('pump-10', first.identity)).next()
    await testbed.refresh()
    expect(await statusOf(first.certificate.serial)).toBe('issued')
    testbed.advance(day + 1000)
    await testbed.refresh()
    expect(await statusOf(first.certificate.serial)).toBe('superseded')
    expect(await recordsOf('superseded')).toContainEqual(
      expect.objectContaining({
        deviceId: 'pump-10',
        serial: first.certificate.serial,
        successor: second.serial,
      }),
    )
    expect((await renew('pump-10', first.identity)).answer.status).toBe(200)
    // The successor was there all the time, as it turns out.
    await report([second.serial])
    expect((await renew('pump-10', first.identity)).answer.status).toBe(403)
  })
})

describe('a report of connections', () => {
  it('is for brokers alone', async () => {
    const device = await enrolledDevice(testbed, 'pump-20')
    const service = await enrolledDevice(testbed, 'service-20', { profile: 'service' })
    const { serial } = device.certificate
    for (const identity of [device.identity, service.identity, testbed.operator]) {
      expect(await report([serial], identity)).toMatchObject({
        status: 403,
        json: { code: 'role-not-allowed' },
      })
    }
    const anonymous = await testbed.request('/v1/certificates/activations', {
      method: 'POST',
      json: { serials: [serial] },
    })
    expect(anonymous.json['code']).toBe('certificate-required')
    expect(await stateOf('pump-20')).toBe('enrolled')
  })

  it.each([
    ['none', []],
    ['what is no serial number', ['pump-1']],
    ['more than a thousand', Array.from({ length: 1001 }, (_, n) => `ab${n.toString(16).padStart(4, '0')}`)],
  ])('of %s is refused', async (_what, serials) => {
    expect(await report(serials)).toMatchObject({ status: 400, json: { code: 'field-invalid' } })
  })
})
