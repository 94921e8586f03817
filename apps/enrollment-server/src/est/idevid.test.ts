import { formatName } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificateIn, csrFor, simpleEnroll } from '../testing/enroll.ts'
import {
  anyPurpose,
  factoryCertificate,
  openFactory,
  serverOnly,
  unknownCritical,
} from '../testing/manufacturer.ts'
import { command } from '../testing/operator.ts'
import type { Answer, Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import { requestOver } from '../testing/tls.ts'

const acme = openFactory('acme')
const other = openFactory('other')
let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed({
    manufacturers: {
      acme: { trust: acme.trust, identifier: 'serialNumber' },
      other: { trust: other.trust, identifier: 'commonName' },
    },
  })
})
afterAll(async () => {
  await testbed.close()
  acme.close()
  other.close()
})

const simple = '/.well-known/est/simpleenroll'
const headers = { 'content-type': 'application/pkcs10' }
const enroll = (identity: Identity, csr: string, path = simple): Promise<Answer> =>
  testbed.request(path, { method: 'POST', headers, body: csr, identity })

async function register(id: string, serialNumber: string, more: object = {}, manufacturer = 'acme') {
  const answer = await command(testbed, '/v1/devices', {
    id,
    idevid: { manufacturer, serialNumber },
    ...more,
  })
  expect(answer).toMatchObject({ status: 201, json: { idevid: { manufacturer, serialNumber } } })
}

describe('a certificate from the factory', () => {
  it('enrolls the device that is registered for it, over EST and REST, as often as it is needed', async () => {
    await register('pump-7', 'SN 0007')
    const identity = acme.device({ serialNumber: 'SN 0007' })
    const first = certificateIn(await enroll(identity, csrFor('pump-7')))
    expect(formatName(first.subject)).toBe('CN=pump-7')
    const rest = await testbed.request('/v1/enrollments', {
      method: 'POST',
      json: { csr: csrFor('pump-7') },
      identity,
    })
    expect(rest).toMatchObject({ status: 201, json: { deviceId: 'pump-7' } })
    expect(testbed.lines.filter(({ credentialKind }) => credentialKind === 'idevid')).toHaveLength(2)
    const { body } = await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })
    expect(body.split('"credential":"idevid"')).toHaveLength(3)
  })

  it('is named by its CN where the manufacturer is configured so, and by its own manufacturer only', async () => {
    await register('pump-8', 'SN0008', {}, 'other')
    const csr = csrFor('pump-8')
    expect((await enroll(acme.device({ serialNumber: 'SN0008' }), csr)).body).toBe(
      'device-unknown: manufacturer certificate: no device is registered for "SN0008" of acme\n',
    )
    expect((await enroll(other.device({ commonName: 'SN0008' }), csr)).status).toBe(200)
  })

  it('belongs to one device of the inventory', async () => {
    await register('pump-9', 'SN0009')
    const idevid = { manufacturer: 'acme', serialNumber: 'SN0009' }
    expect((await command(testbed, '/v1/devices', { id: 'pump-9-b', idevid })).json['code']).toBe(
      'device-exists',
    )
    const bad = { manufacturer: 'ACME', serialNumber: 'a\nb' }
    expect((await command(testbed, '/v1/devices', { id: 'pump-9-b', idevid: bad })).json['detail']).toMatch(
      /^body\.idevid\.manufacturer: .*; body\.idevid\.serialNumber: must be 1 to 64 printable/,
    )
  })

  it('makes no other id, no service and no key of somebody else', async () => {
    await register('pump-10', 'SN0010')
    await register('gateway-10', 'SN0010-gw', { profile: 'service', dns: ['gw.example'] })
    const identity = acme.device({ serialNumber: 'SN0010' })
    expect((await enroll(identity, csrFor('pump-7'))).body).toMatch(/^csr-common-name-other: /)
    const gateway = acme.device({ serialNumber: 'SN0010-gw' })
    expect((await enroll(gateway, csrFor('gateway-10'))).body).toMatch(/^role-not-allowed: /)
  })

  it('ends where an operator has ended it, until there was a token', async () => {
    await register('pump-11', 'SN0011')
    const identity = acme.device({ serialNumber: 'SN0011' })
    expect((await enroll(identity, csrFor('pump-11'))).status).toBe(200)
    await command(testbed, '/v1/devices/pump-11/revoke', {})
    expect((await enroll(identity, csrFor('pump-11'))).body).toBe(
      'device-revoked: id: the certificate of pump-11 was revoked; ask the operator for a token\n',
    )
    const { json } = await command(testbed, '/v1/devices/pump-11/tokens', {})
    await simpleEnroll(testbed, 'pump-11', json['token'] as string, csrFor('pump-11'))
    expect((await enroll(identity, csrFor('pump-11'))).status).toBe(200)
    await command(testbed, '/v1/devices/pump-11/suspend', {})
    expect((await enroll(identity, csrFor('pump-11'))).body).toMatch(/^device-inactive: /)
    await command(testbed, '/v1/devices/pump-11/retire', {})
    expect((await enroll(identity, csrFor('pump-11'))).body).toMatch(/^device-inactive: /)
  })

  it('is good for a hundred valid certificates, as a renewal is', async () => {
    await register('pump-12', 'SN0012')
    const identity = acme.device({ serialNumber: 'SN0012' })
    const answers = await Promise.all(Array.from({ length: 102 }, () => enroll(identity, csrFor('pump-12'))))
    const refused = answers.filter(({ status }) => status !== 200)
    expect(refused.map(({ status }) => status)).toEqual([429, 429])
  })
})

describe('a certificate that proves no device', () => {
  const good = { serialNumber: 'SN0020' }
  const fakeRoot = factoryCertificate(undefined, { commonName: 'acme Root', isCa: true })
  const ca = (issuer: typeof acme.root, options: object) =>
    factoryCertificate(issuer, { commonName: 'Sub', isCa: true, ...options })
  beforeAll(() => register('pump-20', 'SN0020'))

  it.each<[what: string, why: string, identity: () => Identity]>([
    [
      'of a CA with the name of the manufacturer and another key',
      'its CA CN=Sub,O=Acme was not signed by CN=acme Root,O=Acme',
      () => acme.device(good, ca(fakeRoot, {})),
    ],
    ['that it signed itself', 'it leads to no trusted CA', () => factoryCertificate(undefined, good)],
    [
      'of an issuing CA that may have none below it, by way of another',
      'its CA CN=acme Devices,O=Acme may not have so many CAs below it',
      () => {
        const below = ca(acme.issuing, {})
        const device = acme.device(good, below)
        return { ...device, cert: device.cert + acme.issuing.pem }
      },
    ],
    [
      'of a device that plays the CA',
      'its CA serialNumber=SN0021,O=Acme is no CA',
      () => {
        const device = factoryCertificate(acme.issuing, { serialNumber: 'SN0021' })
        const below = acme.device(good, device)
        return { ...below, cert: below.cert + acme.issuing.pem }
      },
    ],
    [
      'of a CA that may not sign',
      'its CA CN=Sub,O=Acme may not sign certificates (keyUsage)',
      () => acme.device(good, ca(acme.root, { keyUsage: '03020780' })),
    ],
    [
      'of a CA that has expired',
      'its CA CN=Sub,O=Acme has expired at 2021-01-01',
      () => acme.device(good, ca(acme.root, { notAfter: '210101000000Z' })),
    ],
    [
      'of a CA with a critical extension that nobody knows',
      'its CA CN=Sub,O=Acme has the critical extension 1.2.3.4, which is not understood here',
      () => acme.device(good, ca(acme.root, { more: unknownCritical })),
    ],
    [
      'that has expired',
      'it has expired at 2021-01-01',
      () => acme.device({ ...good, notAfter: '210101000000Z' }),
    ],
    [
      'that is not valid yet',
      'it is not valid before 2049-01-01',
      () => acme.device({ ...good, notBefore: '490101000000Z' }),
    ],
    [
      'with a critical extension that nobody knows',
      'it has the critical extension 1.2.3.4',
      () => acme.device({ ...good, more: unknownCritical }),
    ],
    ['of a CA itself', 'it is that of a CA', () => acme.device({ ...good, isCa: true }, acme.root)],
    [
      'for servers only',
      'its extKeyUsage has no clientAuth',
      () => acme.device({ ...good, more: serverOnly }),
    ],
    [
      'not for signatures',
      'its keyUsage has no digitalSignature',
      () => acme.device({ ...good, keyUsage: '03020520' }),
    ],
    [
      'without a serial number',
      'its subject must have one serialNumber',
      () => acme.device({ commonName: 'SN0020' }),
    ],
  ])('is refused when it is one %s', async (_what, why, identity) => {
    const answer = await enroll(identity(), csrFor('pump-20'))
    expect(answer.status).toBe(403)
    expect(answer.body).toMatch(/^idevid-refused: manufacturer certificate: .*\n$/)
    expect(answer.body).toContain(why)
  })

  it('of all these is none that refuses a good one', async () => {
    expect(
      (await enroll(acme.device({ ...good, keyUsage: undefined, more: anyPurpose }), csrFor('pump-20')))
        .status,
    ).toBe(200)
    expect((await enroll(acme.device(good, ca(acme.root, {})), csrFor('pump-20'))).status).toBe(200)
  })
})

describe('a certificate from the factory is for nothing else', () => {
  it.each([
    ['GET', '/v1/devices'],
    ['POST', '/v1/devices'],
    ['GET', '/v1/approvals'],
    ['GET', '/v1/audit'],
    ['GET', '/v1/events'],
    ['POST', '/v1/claims'],
    ['POST', '/v1/certificates/activations'],
    ['POST', '/.well-known/est/simplereenroll'],
  ])('%s %s', async (method, path) => {
    // One that claims to be the operator, as well as its manufacturer can say it.
    const uri = Buffer.from('spiffe://fleet.example/operator/operator')
    const name = Buffer.concat([Buffer.from([0x86, uri.length]), uri])
    const value = Buffer.concat([Buffer.from([0x30, name.length]), name])
    const extension = Buffer.concat([
      Buffer.from([0x30, value.length + 7, 0x06, 0x03, 0x55, 0x1d, 0x11, 0x04, value.length]),
      value,
    ])
    const identity = acme.device({ serialNumber: 'SN0007', commonName: 'operator', more: extension })
    const answer = await testbed.request(path, {
      method,
      identity,
      ...(method === 'POST' && { headers: { 'content-type': 'application/pkcs10' }, body: 'x' }),
    })
    expect(answer.status).toBe(403)
    expect(answer.body).toContain('certificate-refused')
  })
})

describe('a handshake', () => {
  it('that resumes a session says to connect without where the CAs are missing', async () => {
    await register('pump-30', 'SN0030')
    const identity = acme.device({ serialNumber: 'SN0030' })
    const body = csrFor('pump-30')
    const first = await requestOver('TLSv1.3', testbed, simple, { method: 'POST', headers, body, identity })
    expect(first).toMatchObject({ status: 200, resumed: false })
    const { session } = first
    const again = await requestOver('TLSv1.3', testbed, simple, {
      method: 'POST',
      headers,
      body,
      identity,
      ...(session && { session }),
    })
    expect(again.resumed).toBe(true)
    expect(again).toMatchObject({ status: 403, body: expect.stringContaining('connect without resuming') })
  })
})

describe('without a configured manufacturer', () => {
  it('such a certificate is no credential', async () => {
    const closed = await openTestbed()
    const identity = acme.device({ serialNumber: 'SN0007' })
    const answer = await closed.request(simple, { method: 'POST', headers, body: csrFor('pump-7'), identity })
    expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/^credential-missing: /) })
    await closed.close()
  })
})

describe('certificates that are refused', () => {
  it('are counted for their address, and so many are the last that are looked at; tokens go on', async () => {
    const strict = await openTestbed({
      manufacturers: { acme: { trust: acme.trust, identifier: 'serialNumber' } },
      failedTokenLimit: 3,
    })
    try {
      const stranger = factoryCertificate(undefined, { serialNumber: 'SN 1' })
      const present = (identity: Identity) =>
        strict.request(simple, { method: 'POST', headers, body: csrFor('pump-1'), identity })
      for (let n = 0; n < 3; n++) {
        expect(await present(stranger)).toMatchObject({
          body: expect.stringMatching(/^idevid-refused: /) as string,
        })
      }
      expect(await present(stranger)).toMatchObject({
        status: 429,
        headers: { 'retry-after': expect.stringMatching(/^\d+$/) as string },
        body: 'attempts-limited: address: at most 3 refused manufacturer certificates in a minute\n',
      })
      certificateIn(await simpleEnroll(strict, 'pump-1', await strict.token('pump-1'), csrFor('pump-1')))
    } finally {
      await strict.close()
    }
  })
})
