import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createCertId, createOcspRequest, parseCertificate, parseCrl } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { makeClaim, registerBatch, restClaim } from '../testing/claim.ts'
import { csrFor, enrolledDevice, restEnroll } from '../testing/enroll.ts'
import { subscribe } from '../testing/events.ts'
import { command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

/** The value of a sample, by name and labels as Prometheus writes them; 0 for one that is not there. */
async function value(sample: string): Promise<number> {
  const line = (await testbed.metrics()).split('\n').find((one) => one.startsWith(`${sample} `))
  return Number(line?.slice(sample.length + 1) ?? 0)
}

/** How much each sample grows while something happens. */
async function growth(samples: string[], happens: () => Promise<unknown>): Promise<number[]> {
  const before = await Promise.all(samples.map(value))
  await happens()
  return Promise.all(samples.map(async (sample, n) => (await value(sample)) - before[n]!))
}

/** The serial numbers on the list that is served. */
async function revokedDevices(): Promise<string[]> {
  const answer = await fetch(`http://127.0.0.1:${testbed.httpPort}/crl/devices.crl`)
  return [...parseCrl(new Uint8Array(await answer.arrayBuffer())).revoked.serials()]
}

const certificates = (action: string) => `fleetroot_enrollment_certificates_total{action="${action}"}`
const used = (kind: string) => `fleetroot_enrollment_credentials_used_total{kind="${kind}"}`

describe('the metrics', () => {
  it('count certificates, tokens and claims', async () => {
    const line = await makeClaim(testbed, 'counted-line', 'b')
    await registerBatch(testbed, 'b', ['claimed'])
    const token = await testbed.token('first')
    const csr = csrFor('first')
    const samples = [certificates('issued'), used('token'), used('claim')]
    const grown = await growth(samples, async () => {
      await restEnroll(testbed, token, csr)
      // The same answer again is no certificate.
      await restEnroll(testbed, token, csr)
      await restClaim(testbed, line, csrFor('claimed'))
    })
    expect(grown).toEqual([2, 1, 1])
  })

  it('count renewals, and what is revoked, held and released', async () => {
    const [a, b, c] = [
      await enrolledDevice(testbed, 'ma'),
      await enrolledDevice(testbed, 'mb'),
      await enrolledDevice(testbed, 'mc'),
    ]
    const samples = ['renewed', 'revoked', 'held', 'released'].map(certificates)
    const grown = await growth(samples, async () => {
      await testbed.request('/.well-known/est/simplereenroll', {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10' },
        body: csrFor('ma'),
        identity: a.identity,
      })
      await command(testbed, '/v1/devices/ma/suspend')
      await command(testbed, '/v1/devices/ma/resume')
      await command(testbed, `/v1/certificates/${b.certificate.serial}/revoke`)
      await command(testbed, `/v1/certificates/${b.certificate.serial}/revoke`)
      await command(testbed, '/v1/certificates/revocations', {
        serials: [b.certificate.serial, c.certificate.serial],
        deviceIds: ['ma'],
      })
    })
    expect(grown).toEqual([1, 4, 2, 2])
  })

  it('count refusals by code, wherever they come from', async () => {
    const refused = (code: string) => `fleetroot_enrollment_refusals_total{code="${code}"}`
    const codes = ['path-unknown', 'certificate-required', 'token-invalid'].map(refused)
    const decided = 'fleetroot_enrollment_decisions_total{protocol="rest",decision="token-invalid"}'
    const gate = 'fleetroot_enrollment_gate_refusals_total{code="certificate-required"}'
    const grown = await growth([...codes, decided, gate], async () => {
      await testbed.request('/nothing')
      await testbed.request('/v1/devices')
      await restEnroll(testbed, 'A'.repeat(43), csrFor('x'))
    })
    expect(grown).toEqual([1, 1, 1, 1, 1])
  })

  it('count OCSP answers by status, with their time', async () => {
    const { certificate } = await enrolledDevice(testbed, 'asked')
    const ca = (await testbed.request('/v1/ca')).json as { issuers: { devices: string[] } }
    const issuer = parseCertificate(ca.issuers.devices[0]!)
    const ask = (der: Uint8Array) =>
      testbed.request('/ocsp', {
        method: 'POST',
        headers: { 'content-type': 'application/ocsp-request' },
        body: Buffer.from(der),
      })
    const answers = (status: string) => `fleetroot_enrollment_ocsp_answer_seconds_count{status="${status}"}`
    const request = createOcspRequest({ certIds: [createCertId(issuer, certificate.serial)] })
    const grown = await growth(['good', 'revoked', 'malformedRequest'].map(answers), async () => {
      await ask(request)
      await command(testbed, '/v1/devices/asked/revoke')
      await ask(request)
      await ask(Buffer.from('nothing'))
    })
    expect(grown).toEqual([1, 1, 1])
  })

  it('show the CRL of every CA: number, entries, age and how long it is valid', async () => {
    const { certificate } = await enrolledDevice(testbed, 'listed')
    const entries = 'fleetroot_enrollment_crl_entries{ca="devices"}'
    await command(testbed, `/v1/certificates/${certificate.serial}/revoke`)
    // What was revoked before may still be on its way into the list: no count of then is one to go by.
    await expect.poll(() => revokedDevices(), { timeout: 60_000 }).toContain(certificate.serial)
    expect(await value(entries)).toBe((await revokedDevices()).length)
    expect(await value('fleetroot_enrollment_crl_number{ca="devices"}')).toBeGreaterThan(1)
    expect(await value('fleetroot_enrollment_crl_number{ca="services"}')).toBeGreaterThan(0)
    const [age, valid] = ['age', 'valid'].map(
      (name) => `fleetroot_enrollment_crl_${name}_seconds{ca="devices"}`,
    )
    const lifetime = (await value(age!)) + (await value(valid!))
    expect(lifetime).toBeGreaterThan(86_390)
    expect(lifetime).toBeLessThan(86_410)
  })

  it('show the event streams that are open, and how far they are behind', async () => {
    expect(await value('fleetroot_enrollment_event_streams')).toBe(0)
    const subscriber = await subscribe(testbed, testbed.operator, { after: 0 })
    await subscriber.take(1)
    expect(await value('fleetroot_enrollment_event_streams')).toBe(1)
    await expect.poll(() => value('fleetroot_enrollment_event_streams_behind'), { timeout: 30_000 }).toBe(0)
    subscriber.close()
    await expect.poll(() => value('fleetroot_enrollment_event_streams'), { timeout: 30_000 }).toBe(0)
  })

  it('are those of the table in docs/operations.md, with the same explanations', async () => {
    const text = await testbed.metrics()
    const spelled = (found: Iterable<RegExpExecArray>) =>
      [...found].map(([, name, help]) => `${name}: ${help}`)
    const served = spelled(text.matchAll(/^# HELP (fleetroot_enrollment_\w+) (.*)$/gm))
    const file = join(import.meta.dirname, '../../../../docs/operations.md')
    const row = /^\| `(fleetroot_enrollment_\w+)` +\|[^|]*\|[^|]*\| (.*?) +\|$/gm
    const listed = spelled(readFileSync(file, 'utf8').matchAll(row))
    expect(new Set(listed)).toEqual(new Set(served))
    expect(listed).toHaveLength(served.length)
  })
})
