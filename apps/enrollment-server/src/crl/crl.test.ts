import { request } from 'node:http'
import { once } from 'node:events'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { type Crl, parseCertificate, parseCrl, verifyCrl } from '@fleetroot/pki'
import { afterEach, describe, expect, it } from 'vitest'
import { enrolledDevice } from '../testing/enroll.ts'
import { subscribe } from '../testing/events.ts'
import { command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
afterEach(() => testbed.close())

const hour = 3_600_000

async function get(
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; headers: IncomingHttpHeaders; body: Buffer }> {
  const outgoing = request({ host: '127.0.0.1', port: testbed.httpPort, path, headers, agent: false })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk as Buffer)
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }
}

async function list(path = '/crl/devices.crl'): Promise<Crl & { eventId: number }> {
  const { status, headers, body } = await get(path)
  if (status !== 200) throw new Error(`${path}: ${status} ${body.toString()}`)
  const crl = parseCrl(body)
  const issuers = (await testbed.request('/v1/ca')).json['issuers'] as Record<string, string[]>
  const [issuer = ''] = issuers[path.startsWith('/crl/services') ? 'services' : 'devices'] ?? []
  await verifyCrl(crl, parseCertificate(issuer))
  return Object.assign(crl, { eventId: Number(headers['fleetroot-event-id']) })
}

/** The first list that includes an event. */
async function listWith(eventId: number, path?: string): Promise<Crl & { eventId: number }> {
  for (;;) {
    const crl = await list(path)
    if (crl.eventId >= eventId) return crl
  }
}

/** Runs a change and resolves to the id of its event. */
async function eventOf(work: () => Promise<unknown>): Promise<number> {
  const subscriber = await subscribe(testbed, testbed.operator)
  await work()
  const [event] = await subscriber.take(1)
  subscriber.close()
  return event?.id ?? 0
}

describe('the CRL', () => {
  it('of each issuing CA is there from the beginning, empty, signed, and valid for a day', async () => {
    testbed = await openTestbed()
    for (const path of ['/crl/devices.crl', '/crl/services.crl']) {
      const crl = await list(path)
      expect([...crl.revoked]).toEqual([])
      expect(crl.nextUpdate.getTime() - crl.thisUpdate.getTime()).toBe(24 * hour)
      const overTls = await testbed.request(path)
      expect(overTls).toMatchObject({ status: 200, headers: { 'content-type': 'application/pkix-crl' } })
    }
  })

  it('names a certificate as soon as it is revoked, held, and no longer when it is released', async () => {
    testbed = await openTestbed()
    const { certificate } = await enrolledDevice(testbed, 'one')
    const { serial } = certificate
    const before = await list()
    const held = await listWith(await eventOf(() => command(testbed, '/v1/devices/one/suspend')))
    expect(held.revoked.get(serial)?.reason).toBe('certificateHold')
    expect(held.number).toBeGreaterThan(before.number)
    const released = await listWith(await eventOf(() => command(testbed, '/v1/devices/one/resume')))
    expect(released.revoked.has(serial)).toBe(false)
    const path = `/v1/certificates/${serial}/revoke`
    const revoked = await listWith(await eventOf(() => command(testbed, path, { reason: 'keyCompromise' })))
    expect([...revoked.revoked]).toMatchObject([{ serial, reason: 'keyCompromise' }])
    expect((await list('/crl/services.crl')).revoked.size).toBe(0)
  })

  it('is named by the certificates that it is about', async () => {
    testbed = await openTestbed({ publicUrl: 'http://pki.example/' })
    const device = (await enrolledDevice(testbed, 'one')).certificate
    const service = (await enrolledDevice(testbed, 'two', { profile: 'service' })).certificate
    expect(device.crlUrls).toEqual(['http://pki.example/crl/devices.crl'])
    expect(service.crlUrls).toEqual(['http://pki.example/crl/services.crl'])
    expect(device.ocspUrls).toEqual(['http://pki.example/ocsp'])
  })

  it('is not sent again to whoever has it, and says to which event it is complete', async () => {
    testbed = await openTestbed()
    const { headers } = await get('/crl/devices.crl')
    expect(headers).toMatchObject({ 'cache-control': 'public, no-cache' })
    const asked = { 'if-none-match': `"x", ${String(headers.etag)}` }
    expect(await get('/crl/devices.crl', asked)).toMatchObject({ status: 304, body: Buffer.alloc(0) })
    // An event that changes nothing on the list is included by the list that was there before.
    const issued = await eventOf(() => enrolledDevice(testbed, 'one'))
    await listWith(issued)
    expect((await get('/crl/devices.crl', asked)).status).toBe(304)
    const revoked = await eventOf(() => command(testbed, '/v1/devices/one/revoke'))
    await listWith(revoked)
    expect((await get('/crl/devices.crl', asked)).status).toBe(200)
    expect((await get('/crl/others.crl')).status).toBe(404)
    expect((await get('/crl/devices-delta.crl')).status).toBe(404)
  })

  it('is made anew on schedule, long before it ends', async () => {
    testbed = await openTestbed()
    const first = await list()
    await testbed.refresh()
    expect((await list()).number).toBe(first.number)
    testbed.advance(hour)
    await testbed.refresh()
    const second = await list()
    expect(second.number).toBe(first.number + 1n)
    expect(second.thisUpdate.getTime()).toBeLessThan(first.nextUpdate.getTime())
  })

  it('lists a revoked certificate again when a clock that was ahead is set back, and the server serves as before', async () => {
    testbed = await openTestbed({ deviceLifetime: 24 * hour })
    const { certificate } = await enrolledDevice(testbed, 'wronged')
    await listWith(await eventOf(() => command(testbed, '/v1/devices/wronged/revoke')))
    const before = await list()
    for (let n = 0; n < 2; n++) {
      testbed.advance(500 * 24 * hour)
      await testbed.refresh()
    }
    expect((await list()).revoked.has(certificate.serial)).toBe(false)
    testbed.advance(-1000 * 24 * hour)
    await testbed.refresh()
    const after = await list()
    expect(after.revoked.has(certificate.serial)).toBe(true)
    expect(after.number).toBeGreaterThan(before.number)
    expect(after.thisUpdate.getTime()).toBeLessThan(before.thisUpdate.getTime() + hour)
    // The certificate that the server made for itself meanwhile is not valid yet.
    expect((await testbed.request('/v1/ca')).status).toBe(200)
  })

  it('forgets a certificate only after a list that was made when it had expired', async () => {
    testbed = await openTestbed({ deviceLifetime: hour })
    const { certificate } = await enrolledDevice(testbed, 'short')
    await listWith(await eventOf(() => command(testbed, '/v1/devices/short/revoke')))
    // An hour more, for brokers whose clock is behind.
    testbed.advance(2.5 * hour)
    await testbed.refresh()
    expect((await list()).revoked.has(certificate.serial)).toBe(true)
    testbed.advance(1.5 * hour)
    await testbed.refresh()
    expect((await list()).revoked.has(certificate.serial)).toBe(false)
    const status = await testbed.request(`/v1/certificates/${certificate.serial}`, {
      identity: testbed.operator,
    })
    expect(status.json['status'] ?? status.json['code']).toMatch(/revoked|certificate-refused/)
  })

  it('costs a storm of revocations a few lists, and ends with all of them', async () => {
    testbed = await openTestbed()
    const ids = Array.from({ length: 60 }, (_, n) => `storm-${n}`)
    for (const id of ids) await enrolledDevice(testbed, id)
    const before = await list()
    const subscriber = await subscribe(testbed, testbed.operator)
    const started = performance.now()
    for (const id of ids) await command(testbed, `/v1/devices/${id}/revoke`)
    const events = await subscriber.take(ids.length)
    subscriber.close()
    const after = await listWith(events.at(-1)?.id ?? 0)
    expect(after.revoked.size).toBe(ids.length)
    // At most one in 100 ms, and one more at either end.
    const most = Math.ceil((performance.now() - started) / 100) + 2
    expect(Number(after.number - before.number)).toBeLessThanOrEqual(most)
  })
})

describe('the delta CRL', () => {
  it('has what changed since an older list, once that is large, and is named by it', async () => {
    testbed = await openTestbed({ deltaCrlFrom: 2, publicUrl: 'http://pki.example' })
    const [one, two, three] = await Promise.all(
      ['one', 'two', 'three'].map((id) => enrolledDevice(testbed, id)),
    )
    if (!one || !two || !three) throw new Error('three were enrolled')
    await listWith(await eventOf(() => command(testbed, '/v1/devices/one/suspend')))
    expect((await get('/crl/devices-delta.crl')).status).toBe(404)
    await listWith(await eventOf(() => command(testbed, '/v1/devices/two/revoke')))
    // Two schedules later that is the base.
    for (let n = 0; n < 2; n++) {
      testbed.advance(hour)
      await testbed.refresh()
    }
    const base = await list()
    expect(base.freshestCrlUrls).toEqual(['http://pki.example/crl/devices-delta.crl'])
    await eventOf(() => command(testbed, '/v1/devices/three/revoke'))
    const event = await eventOf(() => command(testbed, '/v1/devices/one/resume'))
    const complete = await listWith(event)
    // One revoked certificate is left beside the new one.
    const delta = await listWith(event, '/crl/devices-delta.crl')
    expect(delta.number).toBe(complete.number)
    expect(delta.baseNumber).toBeLessThanOrEqual(base.number)
    expect(delta.revoked.get(one.certificate.serial)?.reason).toBe('removeFromCRL')
    expect(delta.revoked.has(three.certificate.serial)).toBe(true)
    expect(delta.revoked.has(two.certificate.serial)).toBe(false)
  })
})
