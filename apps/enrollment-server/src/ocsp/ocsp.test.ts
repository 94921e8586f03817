import { stat } from 'node:fs/promises'
import {
  type BasicOcspResponse,
  type Certificate,
  createCertId,
  createOcspRequest,
  newSerial,
  parseCertificate,
  parseOcspRequest,
  parseOcspResponse,
  type OcspResponse,
  verifyOcspResponse,
} from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { enrolledDevice } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
let devices: Certificate
let services: Certificate
beforeAll(async () => {
  testbed = await openTestbed()
  const issuers = (await testbed.request('/v1/ca')).json['issuers'] as Record<string, string[]>
  devices = parseCertificate(issuers['devices']?.[0] ?? '')
  services = parseCertificate(issuers['services']?.[0] ?? '')
})
afterAll(() => testbed.close())

const url = (path = ''): string => `http://127.0.0.1:${testbed.httpPort}/ocsp${path}`
const post = async (body: Uint8Array<ArrayBuffer>): Promise<{ answer: Response; der: Buffer }> => {
  const headers = { 'content-type': 'application/ocsp-request' }
  const answer = await fetch(url(), { method: 'POST', headers, body })
  return { answer, der: Buffer.from(await answer.arrayBuffer()) }
}
const ask = (certificates: readonly Certificate[], issuer = devices, nonce?: Buffer) =>
  createOcspRequest({ certIds: certificates.map(({ serial }) => createCertId(issuer, serial)), nonce })

async function statusOf(certificate: Certificate, issuer = devices): Promise<unknown> {
  const request = ask([certificate], issuer)
  const { der } = await post(new Uint8Array(request))
  const [single] = await verifyOcspResponse({
    response: parseOcspResponse(der),
    request: parseOcspRequest(request),
    issuer,
    now: new Date(),
  })
  return single?.status
}

describe('OCSP', () => {
  it('says good, then on hold, then good, then revoked, as it is at that moment', async () => {
    const { certificate } = await enrolledDevice(testbed, 'one')
    expect(await statusOf(certificate)).toMatchObject({ status: 'good' })
    await command(testbed, '/v1/devices/one/suspend')
    expect(await statusOf(certificate)).toMatchObject({ status: 'revoked', reason: 'certificateHold' })
    await command(testbed, '/v1/devices/one/resume')
    expect(await statusOf(certificate)).toMatchObject({ status: 'good' })
    await command(testbed, '/v1/devices/one/revoke', { reason: 'keyCompromise' })
    expect(await statusOf(certificate)).toMatchObject({ status: 'revoked', reason: 'keyCompromise' })
  })

  it('answers for both issuing CAs, each with a signer of its own, and never confuses them', async () => {
    const { certificate } = await enrolledDevice(testbed, 'serves', { profile: 'service' })
    expect(await statusOf(certificate, services)).toMatchObject({ status: 'good' })
    // The same serial under the name of the other CA was never issued.
    expect(await statusOf(certificate, devices)).toMatchObject({ status: 'unknown' })
  })

  it('says of a serial that it never issued that it is unknown', async () => {
    const { certificate } = await enrolledDevice(testbed, 'real')
    expect(await statusOf({ ...certificate, serial: newSerial() })).toMatchObject({ status: 'unknown' })
  })

  it('answers about several at once, and gives the nonce back', async () => {
    const one = await enrolledDevice(testbed, 'several-1')
    const two = await enrolledDevice(testbed, 'several-2')
    await command(testbed, '/v1/devices/several-2/revoke')
    const nonce = Buffer.from('0123456789abcdef')
    const { answer, der } = await post(
      new Uint8Array(ask([one.certificate, two.certificate], devices, nonce)),
    )
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const response = parseOcspResponse(der)
    expect(basic(response).nonce?.equals(nonce)).toBe(true)
    expect(basic(response).responses.map(({ status }) => status)).toMatchObject([
      { status: 'good' },
      { status: 'revoked' },
    ])
  })

  it('takes GET in base64, as it is and URL-encoded, and lets caches keep the answer', async () => {
    const { certificate } = await enrolledDevice(testbed, 'gotten')
    const base64 = ask([certificate]).toString('base64')
    for (const text of [base64, encodeURIComponent(base64)]) {
      const answer = await fetch(url(`/${text}`))
      expect(answer.headers.get('content-type')).toBe('application/ocsp-response')
      expect(answer.headers.get('cache-control')).toBe('max-age=540, public, no-transform, must-revalidate')
      expect(answer.headers.get('etag')).toMatch(/^".+"$/)
      expect(Date.parse(answer.headers.get('expires') ?? '')).toBeGreaterThan(Date.now())
      const response = parseOcspResponse(Buffer.from(await answer.arrayBuffer()))
      expect(basic(response).responses).toMatchObject([{ status: { status: 'good' } }])
    }
  })

  it('is served over HTTPS as well', async () => {
    const { certificate } = await enrolledDevice(testbed, 'secure')
    const path = `/ocsp/${encodeURIComponent(ask([certificate]).toString('base64'))}`
    expect(await testbed.request(path)).toMatchObject({
      status: 200,
      headers: { 'content-type': 'application/ocsp-response' },
    })
  })

  it.each([
    ['nothing', ''],
    ['no base64', '/!!!'],
    ['encoded nonsense', '/%00'],
    ['no DER', '/AAAA'],
    ['a truncated request', `/${Buffer.from('3081', 'hex').toString('base64')}`],
  ])('answers %s with malformedRequest', async (_what, path) => {
    const der =
      path === ''
        ? (await post(new Uint8Array())).der
        : Buffer.from(await (await fetch(url(path))).arrayBuffer())
    expect(der.toString('hex')).toBe('30030a0101')
  })

  it('answers with unauthorized about a CA that is not its own', async () => {
    const { certificate } = await enrolledDevice(testbed, 'foreign')
    const { der } = await post(new Uint8Array(ask([certificate], certificate)))
    expect(der.toString('hex')).toBe('30030a0106')
  })

  it('does not read a body of another type or beyond 16 KiB', async () => {
    const other = await fetch(url(), { method: 'POST', headers: { 'content-type': 'text/plain' }, body: 'x' })
    expect(other.status).toBe(415)
    expect((await post(new Uint8Array(17 * 1024))).answer.status).toBe(413)
    expect((await fetch(url())).status).toBe(405)
  })
})

describe('the signer of OCSP', () => {
  it('has a key of its own that nobody else can read, and renews itself', async () => {
    for (const name of ['devices', 'services']) {
      expect((await stat(testbed.file('ocsp', `${name}.key`))).mode & 0o777).toBe(0o600)
    }
    const own = await openTestbed({ operatorLifetime: 30 * 86_400_000 }, 6 * 86_400_000)
    try {
      const { certificate } = await enrolledDevice(own, 'one')
      const signer = async (): Promise<string> => {
        const issuers = (await own.request('/v1/ca')).json['issuers'] as Record<string, string[]>
        const issuer = parseCertificate(issuers['devices']?.[0] ?? '')
        const request = createOcspRequest({ certIds: [createCertId(issuer, certificate.serial)] })
        const path = `/ocsp/${encodeURIComponent(request.toString('base64'))}`
        const answer = await fetch(`http://127.0.0.1:${own.httpPort}${path}`)
        return basic(parseOcspResponse(Buffer.from(await answer.arrayBuffer()))).certificates[0]?.serial ?? ''
      }
      const before = await signer()
      await own.refresh()
      expect(await signer()).toBe(before)
      own.advance(5 * 86_400_000)
      await own.refresh()
      expect(await signer()).not.toBe(before)
      const { json } = await own.request(`/v1/certificates/${before}`, { identity: own.operator })
      expect(json).toMatchObject({ deviceId: 'ocsp-devices', profile: 'ocsp' })
    } finally {
      await own.close()
    }
  })

  it('is an identity of the server, for which nobody gets a token', async () => {
    const answer = await command(testbed, '/v1/devices/ocsp-devices/tokens', {})
    expect(answer).toMatchObject({ status: 409, json: { code: 'device-managed' } })
  })
})

function basic(response: OcspResponse): BasicOcspResponse {
  if (response.status !== 'successful') throw new Error(response.status)
  return response
}
