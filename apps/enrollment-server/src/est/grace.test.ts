import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { createEstClient, openIdentityStore, renewIdentity } from '@fleetroot/device-client'
import { afterEach, describe, expect, it } from 'vitest'
import { certificateIn, csrFor, enrolledDevice, simpleEnroll } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import { requestOver } from '../testing/tls.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'
import type { Answer, Identity } from '../testing/request.ts'

const hour = 3_600_000
const day = 24 * hour
const path = '/.well-known/est/simplereenroll'
const headers = { 'content-type': 'application/pkcs10' }

const open: Testbed[] = []
afterEach(async () => {
  for (const testbed of open.splice(0)) await testbed.close()
})

/**
 * A server whose clock is two days behind, where device certificates live one day: after `advance` they have been
 * expired for a day by the clock of TLS, too.
 */
async function late(config: Parameters<typeof openTestbed>[0] = {}): Promise<Testbed> {
  const long = { serviceLifetime: 30 * day, operatorLifetime: 30 * day }
  const testbed = await openTestbed(
    { deviceLifetime: day, renewalGrace: 3 * day, ...long, ...config },
    2 * day,
  )
  open.push(testbed)
  return testbed
}

function reenroll(testbed: Testbed, id: string, identity: Identity, csr = csrFor(id)): Promise<Answer> {
  return testbed.request(path, { method: 'POST', headers, body: csr, identity })
}

describe.each(['TLSv1.2', 'TLSv1.3'] as const)('a certificate that has expired, over %s', (version) => {
  it('renews itself within the grace of its profile, in a full handshake and in a resumed session', async () => {
    const testbed = await late()
    const { identity, certificate } = await enrolledDevice(testbed, 'sleeper')
    testbed.advance(2 * day)
    const ask = (session?: Buffer) =>
      requestOver(version, testbed, path, {
        method: 'POST',
        headers,
        body: csrFor('sleeper'),
        identity,
        ...(session && { session }),
      })
    const full = await ask()
    const renewed = certificateIn(full)
    expect(full).toMatchObject({ resumed: false, tlsVersion: version })
    expect(renewed.subjectDer).toEqual(certificate.subjectDer)
    expect(renewed.notAfter.getTime()).toBeGreaterThan(Date.now())

    const resumed = await ask(full.session)
    expect(resumed).toMatchObject({ resumed: true, status: 200 })
  })

  it('renews itself in a session that began while it was valid', async () => {
    const testbed = await openTestbed({ deviceLifetime: day, renewalGrace: day })
    open.push(testbed)
    const { identity } = await enrolledDevice(testbed, 'napper')
    const { session } = await requestOver(version, testbed, '/v1/ca', { identity })
    testbed.advance(day + hour)
    const request = { method: 'POST', headers, body: csrFor('napper'), identity, ...(session && { session }) }
    expect(await requestOver(version, testbed, path, request)).toMatchObject({ resumed: true, status: 200 })
  })
})

describe('an expired certificate', () => {
  it('renews itself on a connection that was kept alive since it was valid', async () => {
    const testbed = await openTestbed({ deviceLifetime: day, renewalGrace: day })
    open.push(testbed)
    const { identity } = await enrolledDevice(testbed, 'kept')
    expect((await reenroll(testbed, 'kept', identity)).status).toBe(200)
    testbed.advance(day + hour)
    expect((await reenroll(testbed, 'kept', identity)).status).toBe(200)
  })

  it('is written down as renewed in grace, in the audit and in the events', async () => {
    const testbed = await late()
    const { identity, certificate } = await enrolledDevice(testbed, 'noted')
    testbed.advance(2 * day)
    const { serial } = certificateIn(await reenroll(testbed, 'noted', identity))
    const read = async (from: string) => (await testbed.request(from, { identity: testbed.operator })).json
    const { items } = await read('/v1/audit?limit=1000')
    const records = (items as { record: Record<string, unknown> }[]).map(({ record }) => record)
    expect(records.find((record) => record['serial'] === serial)).toMatchObject({
      type: 'renewed',
      deviceId: 'noted',
      inGrace: true,
      by: { serial: certificate.serial },
    })
    expect(records.find((record) => record['serial'] === certificate.serial)).not.toHaveProperty('inGrace')
    using database = new DatabaseSync(testbed.file('registry.db'), { readOnly: true, timeout: 10_000 })
    const row = database.prepare("SELECT certificates FROM events WHERE type = 'renewed' AND device_id = ?")
    expect(JSON.parse(row.get('noted')?.['certificates'] as string)).toEqual([
      { issuer: 'devices', serial, inGrace: true },
    ])
    expect(testbed.lines).toContainEqual(
      expect.objectContaining({ decision: 'issued', serial, inGrace: true }),
    )
  })

  it('is refused by every other route', async () => {
    const testbed = await late()
    const { identity } = await enrolledDevice(testbed, 'elsewhere')
    testbed.advance(2 * day)
    const document = (await testbed.request('/v1/openapi.json')).json as {
      paths: Record<string, Record<string, { security?: Record<string, unknown>[] }>>
    }
    const asked: string[] = []
    for (const [template, methods] of Object.entries(document.paths)) {
      for (const [method, { security = [] }] of Object.entries(methods)) {
        if (
          !security.some((scheme) =>
            Object.keys(scheme).some((name) => /(operator|service)Certificate/.test(name)),
          )
        )
          continue
        const url = template.replace('{serial}', '01').replace(/\{\w+\}/g, 'elsewhere')
        const json = method === 'post' && { json: {} }
        const answer = await testbed.request(url, { method: method.toUpperCase(), identity, ...json })
        asked.push(`${method} ${template}: ${answer.status} ${String(answer.json['code'])}`)
      }
    }
    expect(asked.length).toBeGreaterThan(12)
    expect(asked.filter((line) => !line.endsWith(': 403 certificate-refused'))).toEqual([])
    // It is no substitute for a token either.
    const answer = await testbed.request('/.well-known/est/simpleenroll', {
      method: 'POST',
      headers,
      body: csrFor('elsewhere'),
      identity,
    })
    expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/^credential-missing: /) })
  })

  it('is refused without grace, which is the default', async () => {
    const testbed = await late({ renewalGrace: 0 })
    const { identity } = await enrolledDevice(testbed, 'strict')
    testbed.advance(2 * day)
    const answer = await reenroll(testbed, 'strict', identity)
    expect(answer.status).toBe(403)
    expect(answer.body).toMatch(
      /^certificate-refused: certificate: it expired at .*; too late to renew it; enroll/,
    )
  })

  it('is refused when the grace is over, and for a profile that has none', async () => {
    const testbed = await openTestbed({ deviceLifetime: day, renewalGrace: 2 * day, operatorLifetime: day })
    open.push(testbed)
    const device = await enrolledDevice(testbed, 'overslept')
    testbed.advance(day + hour)
    expect((await reenroll(testbed, 'operator', testbed.operator)).body).toMatch(/too late to renew it/)
    testbed.advance(2 * day)
    const answer = await reenroll(testbed, 'overslept', device.identity)
    expect(answer).toMatchObject({
      status: 403,
      body: expect.stringMatching(/for 172800 s after that; enroll/),
    })
  })

  it('does not renew another subject', async () => {
    const testbed = await late()
    const { identity } = await enrolledDevice(testbed, 'itself')
    await testbed.token('other')
    testbed.advance(2 * day)
    const answer = await reenroll(testbed, 'itself', identity, csrFor('other'))
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/^subject-mismatch: /) })
  })

  it.each([
    ['revoked', 'certificate-inactive'],
    ['suspended', 'certificate-inactive'],
    ['retired', 'certificate-inactive'],
  ] as const)('is refused when its device was %s, before it expired or after', async (what, code) => {
    const testbed = await late()
    const change = what === 'revoked' ? 'revoke' : what === 'retired' ? 'retire' : 'suspend'
    const [before, after] = [await enrolledDevice(testbed, 'before'), await enrolledDevice(testbed, 'after')]
    expect((await command(testbed, '/v1/devices/before/' + change)).status).toBe(200)
    testbed.advance(2 * day)
    expect((await command(testbed, '/v1/devices/after/' + change)).status).toBe(200)
    for (const [id, { identity }] of Object.entries({ before, after })) {
      const answer = await reenroll(testbed, id, identity)
      expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(new RegExp(`^${code}: `)) })
    }
  })

  it('renews itself again when its device was resumed', async () => {
    const testbed = await late()
    const { identity } = await enrolledDevice(testbed, 'back')
    await command(testbed, '/v1/devices/back/suspend')
    testbed.advance(2 * day)
    expect((await reenroll(testbed, 'back', identity)).status).toBe(403)
    await command(testbed, '/v1/devices/back/resume')
    expect((await reenroll(testbed, 'back', identity)).status).toBe(200)
  })

  it('that was left behind is refused once a later one of its device was revoked, whatever came then', async () => {
    const testbed = await late()
    const { identity } = await enrolledDevice(testbed, 'stolen')
    testbed.advance(2 * day)
    // The answer of this renewal may have been lost: asking again with the old one is right.
    const second = certificateIn(await reenroll(testbed, 'stolen', identity))
    expect((await reenroll(testbed, 'stolen', identity)).status).toBe(200)
    await command(testbed, '/v1/devices/stolen/revoke', { reason: 'keyCompromise' })
    expect(second.notAfter.getTime()).toBeGreaterThan(Date.now())
    const { json } = await command(testbed, '/v1/devices/stolen/tokens', {})
    const again = await simpleEnroll(testbed, 'stolen', json['token'] as string, csrFor('stolen'))
    expect(again.status).toBe(200)
    const answer = await reenroll(testbed, 'stolen', identity)
    expect(answer.body).toMatch(/^certificate-inactive: .*, and a later one of this device was revoked/)
  })

  it('of another hierarchy with the same names is refused', async () => {
    const [testbed, foreign] = [await late(), await late()]
    await enrolledDevice(testbed, 'twin')
    const { identity } = await enrolledDevice(foreign, 'twin')
    testbed.advance(2 * day)
    const answer = await reenroll(testbed, 'twin', identity)
    expect(answer).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^certificate-refused: client cert/),
    })
  })
})

describe('a device of the device client', () => {
  async function asleep(grace: number) {
    const testbed = await late({ renewalGrace: grace })
    const { identity, certificate, privateKey } = await enrolledDevice(testbed, 'gateway')
    testbed.advance(2 * day)
    const directory = await mkdtemp(join(tmpdir(), 'fleetroot-grace-'))
    const store = openIdentityStore(directory)
    const est = createEstClient({ url: `https://localhost:${testbed.port}`, trust: [testbed.root] })
    const chain = await est.issuersOf(certificate).catch(() => [])
    await store.save({ privateKey, certificate, chain, obtainedAt: new Date(Date.now() - 2 * day) })
    return { identity, certificate, store, est, close: () => rm(directory, { recursive: true }) }
  }

  it.each(['new', 'same'] as const)('that slept past its expiry renews itself with a %s key', async (key) => {
    const { certificate, store, est, close } = await asleep(3 * day)
    const renewed = await renewIdentity({ store, est, key })
    expect(renewed.id).toBe('gateway')
    expect(renewed.certificate.notAfter.getTime()).toBeGreaterThan(Date.now())
    expect(renewed.certificate.publicKeyFingerprint === certificate.publicKeyFingerprint).toBe(key === 'same')
    expect((await store.load())?.certificate.serial).toBe(renewed.certificate.serial)
    est.close()
    await close()
  })

  it('that slept for too long is told to get a token', async () => {
    const { store, est, close } = await asleep(hour)
    await expect(renewIdentity({ store, est })).rejects.toMatchObject({
      code: 'credentials-exhausted',
      message: expect.stringMatching(/its profile allows a renewal for 3600 s after that/),
    })
    est.close()
    await close()
  })
})
