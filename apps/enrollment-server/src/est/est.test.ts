import { createEstClient } from '@fleetroot/device-client'
import { decodeCertsOnly, formatName, generateKeyPair } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, certificateIn, csrFor, enrolledDevice, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import { commonName, der, rawCsr } from '../testing/raw-csr.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const est = '/.well-known/est'
const pkcs10 = { 'content-type': 'application/pkcs10' }

function reenroll(csr: string, identity: { key: string; cert: string }) {
  return testbed.request(`${est}/simplereenroll`, { method: 'POST', headers: pkcs10, body: csr, identity })
}

describe('cacerts', () => {
  it.each(['', '/device', '/service'])(
    'gives the root and both issuing CAs to everybody, at the label "%s"',
    async (label) => {
      const answer = await testbed.request(`${est}${label}/cacerts`)
      expect(answer.status).toBe(200)
      expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only')
      const names = decodeCertsOnly(Buffer.from(answer.body, 'base64')).map(({ subject }) =>
        formatName(subject),
      )
      expect(names.sort()).toEqual([
        'CN=Fleetroot Devices CA',
        'CN=Fleetroot Root CA',
        'CN=Fleetroot Services CA',
      ])
    },
  )

  it('is at the path that strongSwan makes of a label', async () => {
    expect((await testbed.request(`/device${est}/cacerts`)).status).toBe(200)
  })

  it('has lines of 64 columns for libest and one line for clients without a name', async () => {
    const headers = { 'user-agent': 'libest 3.2.0' }
    const wrapped = await testbed.request(`${est}/cacerts`, { headers })
    expect(wrapped.body.split('\n')[0]).toHaveLength(64)
    const plain = await testbed.request(`${est}/cacerts`)
    expect(plain.body.trimEnd()).not.toContain('\n')
    expect(plain.body).toHaveLength(wrapped.body.replaceAll('\n', '').length + 1)
  })
})

describe('csrattrs', () => {
  it('says without a label that any CSR will do', async () => {
    expect(await testbed.request(`${est}/csrattrs`)).toMatchObject({
      status: 204,
      headers: { 'cache-control': 'no-store' },
    })
  })

  it.each(['device', 'service'])(
    'says what a CSR for the profile %s may hold, and that is granted',
    async (label) => {
      const answer = await testbed.request(`${est}/${label}/csrattrs`)
      expect(answer).toMatchObject({ status: 200, headers: { 'content-type': 'application/csrattrs' } })
      const client = createEstClient({
        url: `https://localhost:${testbed.port}`,
        trust: [testbed.root],
        label,
      })
      const wanted = await client.csrattrs()
      client.close()
      expect(wanted?.map(({ oid }) => oid)).toEqual(['1.2.840.113549.1.9.14', '1.2.840.113549.1.9.16.2.61'])
      const { privateKey } = generateKeyPair('P-256')
      const request = wanted?.[0]?.values[0] ?? Buffer.alloc(0)
      const attribute = der(0x30, Buffer.from('06092a864886f70d01090e', 'hex'), der(0x31, request))
      const csr = rawCsr(privateKey, { subject: [commonName(`wanted-${label}`)], attributes: [attribute] })
      const token = await testbed.token(`wanted-${label}`, { profile: label })
      const enrolled = await restEnroll(testbed, token, csr.toString('base64'))
      const { fields } = enrolled.json['csr'] as { fields: { decision: string }[] }
      expect(fields).toHaveLength(4)
      expect(fields.every(({ decision }) => decision === 'taken')).toBe(true)
    },
  )

  it('offers no label for which nobody can be registered', async () => {
    const answer = await testbed.request(`${est}/claim/csrattrs`)
    expect(answer).toMatchObject({
      status: 404,
      body: expect.stringMatching(/^profile-unknown: label: use one of device, service.*, or none\n$/),
    })
    expect(answer.body).not.toMatch(/operator|claim/)
  })
})

describe('simpleenroll', () => {
  it('without credentials answers 401 and says how to send them', async () => {
    const answer = await testbed.request(`${est}/simpleenroll`, {
      method: 'POST',
      headers: pkcs10,
      body: 'x',
    })
    expect(answer.status).toBe(401)
    expect(answer.headers['www-authenticate']).toBe('Basic realm="est"')
    expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8')
    expect(answer.body).toMatch(/^credential-missing: Authorization: send Basic /)
  })

  it('gives the certificate alone, in one line', async () => {
    const token = await testbed.token('single')
    const answer = await simpleEnroll(testbed, 'single', token, csrFor('single'))
    expect(answer.headers['content-type']).toBe('application/pkcs7-mime; smime-type=certs-only')
    expect(answer.headers['cache-control']).toBe('no-store')
    expect(answer.body).toMatch(/^[A-Za-z0-9+/=]+\n$/)
    expect(decodeCertsOnly(Buffer.from(answer.body, 'base64'))).toHaveLength(1)
    const certificate = certificateIn(answer)
    expect(formatName(certificate.subject)).toBe('CN=single')
    expect(certificate.subjectAltNames).toEqual([
      { type: 'uri', value: 'spiffe://fleet.example/device/single' },
    ])
  })

  it('takes the body for what it is, whatever Content-Transfer-Encoding says', async () => {
    const token = await testbed.token('der')
    const answer = await testbed.request(`${est}/simpleenroll`, {
      method: 'POST',
      headers: { ...pkcs10, 'content-transfer-encoding': 'base64', ...basic('der', token) },
      body: Buffer.from(csrFor('der'), 'base64'),
    })
    expect(answer.status).toBe(200)
  })

  it('gives a service its names', async () => {
    const device = { profile: 'service', dns: ['gw.example'], ip: ['192.0.2.7', '2001:db8::7'] }
    const { certificate } = await enrolledDevice(testbed, 'gateway', device)
    expect(certificate.extendedKeyUsage).toEqual(['serverAuth', 'clientAuth'])
    expect(certificate.subjectAltNames).toHaveLength(4)
  })

  it.each([
    ['the token of another device', 'wrong-id', 401, 'token-invalid'],
    ['an unknown token', 'unknown', 401, 'token-invalid'],
  ])('with %s is refused', async (_what, kind, status, code) => {
    const token = await testbed.token(`owner-${kind}`)
    await testbed.token(`thief-${kind}`)
    const sent = kind === 'unknown' ? 'A'.repeat(43) : token
    const id = `thief-${kind}`
    const answer = await simpleEnroll(testbed, id, sent, csrFor(id))
    expect(answer).toMatchObject({ status, body: expect.stringMatching(new RegExp(`^${code}: `)) })
  })

  it('refuses a token after its time', async () => {
    const late = await openTestbed({ tokenLifetime: 60_000 })
    try {
      const token = await late.token('slow')
      late.advance(60_000)
      const answer = await simpleEnroll(late, 'slow', token, csrFor('slow'))
      expect(answer).toMatchObject({ status: 401, body: expect.stringMatching(/^token-expired: /) })
    } finally {
      await late.close()
    }
  })

  it('issues under the profile of the label, and refuses that of another', async () => {
    const token = await testbed.token('labelled')
    const wrong = await simpleEnroll(
      testbed,
      'labelled',
      token,
      csrFor('labelled'),
      `${est}/service/simpleenroll`,
    )
    expect(wrong).toMatchObject({ status: 403, body: expect.stringMatching(/^profile-mismatch: /) })
    const path = `/device${est}/simpleenroll`
    expect((await simpleEnroll(testbed, 'labelled', token, csrFor('labelled'), path)).status).toBe(200)
  })
})

describe('simplereenroll', () => {
  const spiffe = (id: string) => [{ type: 'uri', value: `spiffe://fleet.example/device/${id}` }] as const

  it('renews with the same names or none, for the same key and for a new one', async () => {
    const { identity, certificate, privateKey } = await enrolledDevice(testbed, 'renewing')
    const subjectAltNames = spiffe('renewing')
    const same = await reenroll(csrFor('renewing', { subjectAltNames, privateKey }), identity)
    const fresh = await reenroll(csrFor('renewing', { subjectAltNames }), identity)
    const unnamed = await reenroll(csrFor('renewing'), identity)
    const renewed = [same, fresh, unnamed].map(certificateIn)
    expect(new Set([certificate, ...renewed].map(({ serial }) => serial)).size).toBe(4)
    for (const next of renewed) {
      expect(formatName(next.subject)).toBe('CN=renewing')
      expect(next.subjectAltNames).toEqual(subjectAltNames)
    }
  })

  it.each([
    ['another subject', 'somebody', spiffe('strict')],
    ['another subjectAltName', 'strict', spiffe('somebody')],
    ['a name more', 'strict', [...spiffe('strict'), { type: 'dns', value: 'x.example' } as const]],
  ])('with %s is refused', async (_what, commonName, subjectAltNames) => {
    const id = 'strict'
    const { identity } = await shared(id)
    const answer = await reenroll(csrFor(commonName, { subjectAltNames }), identity)
    expect(answer.status).toBe(403)
    expect(answer.body).toMatch(/^subject-mismatch: /)
  })

  it('without a client certificate is refused, token or not', async () => {
    const token = await testbed.token('bare')
    const answer = await testbed.request(`${est}/simplereenroll`, {
      method: 'POST',
      headers: { ...pkcs10, ...basic('bare', token) },
      body: csrFor('bare'),
    })
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/^certificate-required: /) })
  })

  it('renews the operator, who got the certificate on the server', async () => {
    const subjectAltNames = [{ type: 'uri', value: 'spiffe://fleet.example/operator/operator' }] as const
    const answer = await reenroll(csrFor('operator', { subjectAltNames }), testbed.operator)
    expect(answer.status).toBe(200)
  })

  it('refuses a device that has a hundred good certificates, until they were revoked', async () => {
    const id = 'insatiable'
    const { identity, privateKey } = await enrolledDevice(testbed, id)
    const csr = csrFor(id, { privateKey })
    const answers = await Promise.all(Array.from({ length: 105 }, () => reenroll(csr, identity)))
    const refused = answers.filter(({ status }) => status !== 200)
    expect(refused).toHaveLength(6)
    expect(refused[0]).toMatchObject({ status: 429, body: expect.stringMatching(/^renewals-limited: /) })
    expect(refused[0]?.headers['retry-after']).toBe('3600')

    await command(testbed, `/v1/devices/${id}/revoke`, {})
    const { json } = await command(testbed, `/v1/devices/${id}/tokens`, {})
    const again = await simpleEnroll(testbed, id, json['token'] as string, csr)
    const { pem: cert } = certificateIn(again)
    expect((await reenroll(csr, { ...identity, cert })).status).toBe(200)
  })

  it('refuses an expired certificate, on a new connection and on one that was kept alive', async () => {
    const short = await openTestbed({ deviceLifetime: 3_600_000 })
    try {
      const { identity } = await enrolledDevice(short, 'expiring')
      const path = `${est}/simplereenroll`
      const post = () =>
        short.request(path, { method: 'POST', headers: pkcs10, body: csrFor('expiring'), identity })
      expect((await post()).status).toBe(200)
      short.advance(3_600_001)
      expect(await post()).toMatchObject({
        status: 403,
        body: expect.stringMatching(/^certificate-refused: /),
      })
    } finally {
      await short.close()
    }
  })

  const devices = new Map<string, ReturnType<typeof enrolledDevice>>()
  function shared(id: string) {
    const device = devices.get(id) ?? enrolledDevice(testbed, id)
    devices.set(id, device)
    return device
  }
})
