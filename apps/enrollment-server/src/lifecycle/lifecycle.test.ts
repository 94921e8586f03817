import { readFile } from 'node:fs/promises'
import { createCsr } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csrFor, enrolledDevice, restEnroll } from '../testing/enroll.ts'
import { subscribe } from '../testing/events.ts'
import { certificateStatus, command } from '../testing/operator.ts'
import type { Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const renew = (identity: Identity, id: string, privateKey: Parameters<typeof createCsr>[0]['privateKey']) =>
  testbed.request('/.well-known/est/simplereenroll', {
    method: 'POST',
    identity,
    headers: { 'content-type': 'application/pkcs10' },
    body: createCsr({ privateKey, commonName: id }).toString('base64'),
  })

describe('a certificate that is revoked', () => {
  it('says since when and why, and cannot renew on a connection that was open before', async () => {
    const { identity, certificate, privateKey } = await enrolledDevice(testbed, 'lost')
    expect((await renew(identity, 'lost', privateKey)).status).toBe(200)
    const answer = await command(testbed, `/v1/certificates/${certificate.serial}/revoke`, {
      reason: 'keyCompromise',
    })
    expect(answer).toMatchObject({
      status: 200,
      json: { status: 'revoked', issuer: 'devices', revocation: { reason: 'keyCompromise' } },
    })
    expect(await renew(identity, 'lost', privateKey)).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^certificate-inactive: .*revoked/),
    })
  })

  it('gets the same answer when it is revoked once more, and keeps its first reason', async () => {
    const { certificate } = await enrolledDevice(testbed, 'twice')
    const path = `/v1/certificates/${certificate.serial}/revoke`
    const first = await command(testbed, path, { reason: 'superseded' })
    expect(await command(testbed, path, { reason: 'keyCompromise' })).toMatchObject({ json: first.json })
    expect(await command(testbed, path)).toMatchObject({ status: 200, json: first.json })
  })

  it('does not keep its device from enrolling again', async () => {
    const { certificate } = await enrolledDevice(testbed, 'again')
    await command(testbed, `/v1/certificates/${certificate.serial}/revoke`)
    const { json } = await command(testbed, '/v1/devices/again/tokens', {})
    expect((await restEnroll(testbed, String(json['token']), csrFor('again'))).status).toBe(201)
  })

  it('is not given out again to a retry with its token', async () => {
    const token = await testbed.token('retry')
    const csr = csrFor('retry')
    const { json } = await restEnroll(testbed, token, csr)
    await command(testbed, `/v1/certificates/${String(json['serial'])}/revoke`)
    expect(await restEnroll(testbed, token, csr)).toMatchObject({ status: 401, json: { code: 'token-used' } })
  })

  it.each([
    ['certificateHold', 'suspend the device'],
    ['removeFromCRL', 'must be one of'],
    ['because', 'must be one of unspecified, keyCompromise'],
  ])('is not, for the reason %s', async (reason, detail) => {
    const { certificate } = await enrolledDevice(testbed, `no-${reason}`)
    const path = `/v1/certificates/${certificate.serial}/revoke`
    expect(await command(testbed, path, { reason })).toMatchObject({
      status: 400,
      json: { code: 'field-invalid', detail: expect.stringContaining(detail) },
    })
    expect((await certificateStatus(testbed, certificate.serial))['status']).toBe('issued')
  })

  it('is unknown, when its serial is', async () => {
    const answer = await command(testbed, '/v1/certificates/0102/revoke')
    expect(answer).toMatchObject({ status: 404, json: { code: 'serial-unknown' } })
  })
})

describe('a device that is revoked', () => {
  it('shows it, loses the tokens that it had, and comes back with a new one', async () => {
    await enrolledDevice(testbed, 'lifted')
    const { json: before } = await command(testbed, '/v1/devices/lifted/tokens', {})
    const answer = await command(testbed, '/v1/devices/lifted/revoke')
    expect(answer.json).toMatchObject({ state: 'enrolled', certificate: { status: 'revoked' } })
    expect(await restEnroll(testbed, String(before['token']), csrFor('lifted'))).toMatchObject({
      status: 401,
      json: { code: 'token-expired' },
    })
    const { json: after } = await command(testbed, '/v1/devices/lifted/tokens', {})
    expect((await restEnroll(testbed, String(after['token']), csrFor('lifted'))).status).toBe(201)
  })

  it('loses its tokens before it has any certificate, once, and in a batch as well', async () => {
    for (const id of ['unborn', 'unborn-2']) await command(testbed, '/v1/devices', { id })
    const tokens = await Promise.all(
      ['unborn', 'unborn-2'].map(async (id) => (await command(testbed, `/v1/devices/${id}/tokens`, {})).json),
    )
    await command(testbed, '/v1/devices/unborn/revoke')
    const batch = { deviceIds: ['unborn', 'unborn-2'] }
    expect((await command(testbed, '/v1/certificates/revocations', batch)).json['results']).toEqual([
      { deviceId: 'unborn', status: 'unchanged' },
      { deviceId: 'unborn-2', status: 'revoked' },
    ])
    for (const [n, { token }] of tokens.entries()) {
      const csr = csrFor(n === 0 ? 'unborn' : 'unborn-2')
      expect((await restEnroll(testbed, String(token), csr)).json['code']).toBe('token-expired')
    }
  })
})

describe('a device that is suspended', () => {
  it('neither renews nor enrolls, and comes back with the certificates that it had', async () => {
    const { identity, certificate, privateKey } = await enrolledDevice(testbed, 'paused')
    const { json: spare } = await command(testbed, '/v1/devices/paused/tokens', {})
    expect(await command(testbed, '/v1/devices/paused/suspend')).toMatchObject({
      status: 200,
      json: { state: 'suspended' },
    })
    expect(await certificateStatus(testbed, certificate.serial)).toMatchObject({
      status: 'held',
      revocation: { reason: 'certificateHold' },
    })
    expect((await renew(identity, 'paused', privateKey)).body).toMatch(/^certificate-inactive: .*held/)
    expect(await restEnroll(testbed, String(spare['token']), csrFor('paused'))).toMatchObject({
      status: 403,
      json: { code: 'device-inactive' },
    })
    expect((await command(testbed, '/v1/devices/paused/tokens', {})).json['code']).toBe('device-inactive')

    expect((await command(testbed, '/v1/devices/paused/resume')).json['state']).toBe('enrolled')
    expect(await certificateStatus(testbed, certificate.serial)).not.toHaveProperty('revocation')
    expect((await renew(identity, 'paused', privateKey)).status).toBe(200)
  })

  it('is so once, however often it is asked for', async () => {
    await enrolledDevice(testbed, 'idempotent')
    for (const change of ['suspend', 'suspend', 'resume', 'resume']) {
      expect((await command(testbed, `/v1/devices/idempotent/${change}`)).status).toBe(200)
    }
    const subscriber = await subscribe(testbed, testbed.operator, { after: 0 })
    await command(testbed, '/v1/devices/idempotent/retire')
    const until = async (count: number): Promise<unknown[]> => {
      const mine = (await subscriber.take(count)).filter(({ data }) => data['deviceId'] === 'idempotent')
      return mine.at(-1)?.type === 'retired'
        ? mine.map(({ type }) => type)
        : until(subscriber.events().length + 1)
    }
    expect(await until(1)).toEqual(['issued', 'suspended', 'resumed', 'retired'])
    subscriber.close()
  })

  it('keeps a certificate revoked that was revoked before', async () => {
    const { certificate } = await enrolledDevice(testbed, 'mixed')
    await command(testbed, `/v1/certificates/${certificate.serial}/revoke`, { reason: 'keyCompromise' })
    await command(testbed, '/v1/devices/mixed/suspend')
    await command(testbed, '/v1/devices/mixed/resume')
    expect(await certificateStatus(testbed, certificate.serial)).toMatchObject({
      status: 'revoked',
      revocation: { reason: 'keyCompromise' },
    })
  })

  it('that had no certificate is registered again afterwards', async () => {
    await testbed.token('fresh')
    expect((await command(testbed, '/v1/devices/fresh/suspend')).json['state']).toBe('suspended')
    expect((await command(testbed, '/v1/devices/fresh/resume')).json['state']).toBe('registered')
  })
})

describe('a device whose certificates are revoked', () => {
  it('keeps its state, and every certificate that it could use is revoked, those on hold too', async () => {
    const { identity, certificate, privateKey } = await enrolledDevice(testbed, 'stolen')
    await renew(identity, 'stolen', privateKey)
    await command(testbed, '/v1/devices/stolen/suspend')
    const answer = await command(testbed, '/v1/devices/stolen/revoke', { reason: 'keyCompromise' })
    expect(answer).toMatchObject({ status: 200, json: { state: 'suspended' } })
    const newest = (answer.json['certificate'] as { serial: string }).serial
    for (const serial of [certificate.serial, newest]) {
      expect(await certificateStatus(testbed, serial)).toMatchObject({
        revocation: { reason: 'keyCompromise' },
      })
    }
    await command(testbed, '/v1/devices/stolen/resume')
    expect((await certificateStatus(testbed, newest))['status']).toBe('revoked')
  })
})

describe('a device that is retired', () => {
  it('never comes back: no resume, no suspension, no token, no certificate', async () => {
    const { certificate } = await enrolledDevice(testbed, 'gone')
    await command(testbed, '/v1/devices/gone/suspend')
    for (let n = 0; n < 2; n++) {
      expect((await command(testbed, '/v1/devices/gone/retire')).json['state']).toBe('retired')
    }
    expect(await certificateStatus(testbed, certificate.serial)).toMatchObject({
      revocation: { reason: 'cessationOfOperation' },
    })
    for (const change of ['resume', 'suspend']) {
      expect(await command(testbed, `/v1/devices/gone/${change}`)).toMatchObject({
        status: 409,
        json: { code: 'device-retired' },
      })
    }
    expect((await command(testbed, '/v1/devices', { id: 'gone' })).json['code']).toBe('device-exists')
    expect((await command(testbed, '/v1/devices/gone/tokens', {})).json['code']).toBe('device-inactive')
  })
})

describe('an identity of the server', () => {
  it('can be neither suspended nor retired', async () => {
    for (const change of ['suspend', 'resume', 'retire']) {
      expect(await command(testbed, `/v1/devices/operator/${change}`)).toMatchObject({
        status: 409,
        json: { code: 'device-managed' },
      })
    }
  })
})

describe('who may revoke', () => {
  it('is the operator and nobody else', async () => {
    const device = await enrolledDevice(testbed, 'curious')
    const service = await enrolledDevice(testbed, 'curious-service', { profile: 'service' })
    const path = `/v1/certificates/${device.certificate.serial}/revoke`
    for (const { identity } of [device, service]) {
      const answer = await testbed.request(path, { method: 'POST', identity })
      expect(answer).toMatchObject({ status: 403, json: { code: 'role-not-allowed' } })
    }
    const anonymous = await testbed.request('/v1/devices/curious/suspend', { method: 'POST' })
    expect(anonymous.json['code']).toBe('certificate-required')
  })
})

describe('the list of certificates', () => {
  it('has each once, page by page, by device and by status', async () => {
    const { identity, privateKey, certificate } = await enrolledDevice(testbed, 'listed')
    for (let n = 0; n < 4; n++) await renew(identity, 'listed', privateKey)
    await command(testbed, `/v1/certificates/${certificate.serial}/revoke`)
    const serials = new Set<string>()
    let cursor = ''
    do {
      const path = `/v1/certificates?deviceId=listed&limit=2${cursor && `&cursor=${cursor}`}`
      const { json } = await testbed.request(path, { identity: testbed.operator })
      for (const { serial } of json['items'] as { serial: string }[]) serials.add(serial)
      cursor = (json['nextCursor'] as string | undefined) ?? ''
    } while (cursor)
    expect(serials.size).toBe(5)
    const revoked = await testbed.request('/v1/certificates?deviceId=listed&status=revoked', {
      identity: testbed.operator,
    })
    expect(revoked.json['items']).toMatchObject([{ serial: certificate.serial }])
    const bad = await testbed.request('/v1/certificates?cursor=eA', { identity: testbed.operator })
    expect(bad.json['code']).toBe('field-invalid')
  })
})

describe('an operator whose certificate is revoked', () => {
  it('is refused from then on, on the connection it has, and gets a new key and certificate', async () => {
    const own = await openTestbed()
    try {
      const { json } = await own.request('/v1/devices/operator', { identity: own.operator })
      const { serial } = json['certificate'] as { serial: string }
      expect((await command(own, `/v1/certificates/${serial}/revoke`)).status).toBe(200)
      expect((await command(own, '/v1/devices', { id: 'x' })).json['code']).toBe('certificate-inactive')
      await own.refresh()
      const read = (file: string): Promise<string> => readFile(own.file('operator', file), 'utf8')
      const identity = { key: await read('key.pem'), cert: await read('cert.pem') }
      expect(identity.key).not.toBe(own.operator.key)
      expect((await own.request('/v1/devices', { identity })).status).toBe(200)
    } finally {
      await own.close()
    }
  })
})
