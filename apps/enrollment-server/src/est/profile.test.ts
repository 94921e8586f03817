import { parseProfile } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, certificateIn, csrFor, enrolledDevice, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

const gateway = parseProfile({
  name: 'gateway',
  issuer: 'devices',
  role: 'device',
  extendedKeyUsage: ['clientAuth', 'serverAuth'],
  subjectAltNames: ['dns'],
  lifetimeSeconds: 3_600,
})
const collector = parseProfile({
  name: 'collector',
  issuer: 'services',
  role: 'service',
  extendedKeyUsage: ['clientAuth'],
  lifetimeSeconds: 7_200,
})

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed({ profiles: [gateway, collector] })
})
afterAll(() => testbed.close())

const est = '/.well-known/est'
const register = (json: object) =>
  testbed.request('/v1/devices', { method: 'POST', json, identity: testbed.operator })

describe('a profile of the configuration', () => {
  it('is a label of EST, and decides what the certificate says', async () => {
    const names = { profile: 'gateway', dns: ['gw.example'] }
    const token = await testbed.token('gw-1', names)
    const path = `${est}/gateway/simpleenroll`
    const certificate = certificateIn(await simpleEnroll(testbed, 'gw-1', token, csrFor('gw-1'), path))
    expect(certificate.extendedKeyUsage).toEqual(['clientAuth', 'serverAuth'])
    expect(certificate.subjectAltNames).toEqual([
      { type: 'uri', value: 'spiffe://fleet.example/device/gw-1' },
      { type: 'dns', value: 'gw.example' },
    ])
    // Backdated by an hour.
    expect(certificate.notAfter.getTime() - certificate.notBefore.getTime()).toBe(2 * 3_600_000)
  })

  it('counts without a label and over REST as well, because the device is registered for it', async () => {
    const { certificate } = await enrolledDevice(testbed, 'gw-2', { profile: 'gateway' })
    expect(certificate.extendedKeyUsage).toEqual(gateway.extendedKeyUsage)
    const answer = await restEnroll(
      testbed,
      await testbed.token('gw-3', { profile: 'gateway' }),
      csrFor('gw-3'),
    )
    const { serial } = answer.json as { serial: string }
    const kept = await testbed.request(`/v1/certificates/${serial}`, { identity: testbed.operator })
    expect(kept.json).toMatchObject({ profile: 'gateway', issuer: 'devices' })
  })

  it('counts when its certificate renews itself, at its own label and at no other', async () => {
    const { identity } = await enrolledDevice(testbed, 'gw-4', { profile: 'gateway' })
    const renew = (label: string) =>
      testbed.request(`${est}${label}/simplereenroll`, {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10' },
        body: csrFor('gw-4'),
        identity,
      })
    for (const label of ['', '/gateway']) {
      expect(certificateIn(await renew(label)).extendedKeyUsage).toEqual(gateway.extendedKeyUsage)
    }
    expect(await renew('/device')).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^profile-mismatch: profile: gw-4 is registered for gateway, not device/),
    })
  })

  it('of the role service makes services, which the audit calls so', async () => {
    const { certificate } = await enrolledDevice(testbed, 'collector-1', { profile: 'collector' })
    expect(certificate.subjectAltNames).toEqual([
      { type: 'uri', value: 'spiffe://fleet.example/service/collector-1' },
    ])
    const audit = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
    const records = (audit.json['items'] as { record: { type: string; by: object; serial?: string } }[]).map(
      ({ record }) => record,
    )
    const issued = records.find(({ serial }) => serial === certificate.serial)
    expect(issued).toMatchObject({ by: { kind: 'service', id: 'collector-1' }, profile: 'collector' })
  })

  it('keeps to the names that it carries', async () => {
    expect(await register({ id: 'gw-5', profile: 'gateway', ip: ['192.0.2.1'] })).toMatchObject({
      status: 400,
      json: {
        code: 'field-invalid',
        detail: 'body.ip: certificates of the profile gateway carry none; use the profile service or broker',
      },
    })
    expect(await register({ id: 'gw-5', dns: ['gw.example'] })).toMatchObject({
      json: {
        detail:
          'body.dns: certificates of the profile device carry none; use the profile service, broker or gateway',
      },
    })
  })

  it('is among those that a refusal and the OpenAPI document list', async () => {
    expect((await register({ id: 'gw-6', profile: 'gatway' })).json).toMatchObject({
      code: 'field-invalid',
      detail: 'body.profile: must be device, service, broker, gateway or collector',
    })
    const token = await testbed.token('gw-7', { profile: 'gateway' })
    const path = `${est}/gatway/simpleenroll`
    expect(await simpleEnroll(testbed, 'gw-7', token, csrFor('gw-7'), path)).toMatchObject({
      status: 404,
      body: 'profile-unknown: label: use one of device, service, broker, gateway, collector, or none\n',
    })
    const document = await testbed.request('/v1/openapi.json')
    expect(document.json).toMatchObject({
      paths: {
        '/v1/devices': {
          post: {
            requestBody: {
              content: {
                'application/json': {
                  schema: {
                    properties: {
                      profile: { enum: ['device', 'service', 'broker', 'gateway', 'collector'] },
                    },
                  },
                },
              },
            },
          },
        },
      },
    })
  })

  it('that is no longer in the configuration makes no more certificates, and its devices are told so', async () => {
    const token = await testbed.token('gw-8', { profile: 'gateway' })
    const without = await openTestbed({}, 0, testbed)
    try {
      const answer = await without.request(`${est}/simpleenroll`, {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10', ...basic('gw-8', token) },
        body: csrFor('gw-8'),
      })
      expect(answer).toMatchObject({
        status: 404,
        body: 'profile-unknown: profile: gateway is not configured\n',
      })
    } finally {
      await without.close()
    }
    expect(certificateIn(await simpleEnroll(testbed, 'gw-8', token, csrFor('gw-8'))).serial).toBeDefined()
  })
})
