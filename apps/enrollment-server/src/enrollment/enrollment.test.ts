import { createCsr, generateKeyPair } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificateIn, csrFor, enrolledDevice, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const asOperator = (path: string) => testbed.request(path, { identity: testbed.operator })

describe('a one-time token', () => {
  it('used fifty times at once for fifty keys yields exactly one certificate', async () => {
    const token = await testbed.token('raced')
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, n) =>
        n % 2
          ? simpleEnroll(testbed, 'raced', token, csrFor('raced'))
          : restEnroll(testbed, token, csrFor('raced')),
      ),
    )
    const issued = answers.filter(({ status }) => status === 200 || status === 201)
    expect(issued).toHaveLength(1)
    expect(answers.filter(({ status, body }) => status === 401 && body.includes('token-used'))).toHaveLength(
      49,
    )
    const device = await asOperator('/v1/devices/raced')
    const { serial } = device.json['certificate'] as { serial: string }
    const [winner] = issued
    expect(winner?.status === 201 ? winner.json['serial'] : winner && certificateIn(winner).serial).toBe(
      serial,
    )
  })

  it('used fifty times at once with one CSR yields one certificate, fifty times', async () => {
    const token = await testbed.token('insistent')
    const csr = csrFor('insistent')
    const answers = await Promise.all(
      Array.from({ length: 50 }, () => simpleEnroll(testbed, 'insistent', token, csr)),
    )
    expect(new Set(answers.map(({ body }) => body)).size).toBe(1)
    expect(answers.every(({ status }) => status === 200)).toBe(true)
  })
})

describe('a retry', () => {
  it('with the same token and CSR gets the same certificate byte for byte, over either protocol', async () => {
    const token = await testbed.token('retrying')
    const csr = csrFor('retrying')
    const first = await simpleEnroll(testbed, 'retrying', token, csr)
    const second = await simpleEnroll(testbed, 'retrying', token, csr)
    expect(second.status).toBe(200)
    expect(second.body).toBe(first.body)
    const third = await restEnroll(testbed, token, csr)
    expect(third.json['certificate']).toBe(certificateIn(first).pem)
    expect(testbed.decisions.slice(-3)).toEqual(['issued', 'repeated', 'repeated'])
  })

  it('with a new CSR of the same key gets it too: ECDSA signs differently every time', async () => {
    const token = await testbed.token('resigning')
    const { privateKey } = generateKeyPair('P-256')
    const ask = () => simpleEnroll(testbed, 'resigning', token, csrFor('resigning', { privateKey }))
    const first = await ask()
    expect((await ask()).body).toBe(first.body)
  })

  it('with another key is refused, and says what to do', async () => {
    const token = await testbed.token('rekeying')
    await simpleEnroll(testbed, 'rekeying', token, csrFor('rekeying'))
    const second = await simpleEnroll(testbed, 'rekeying', token, csrFor('rekeying'))
    expect(second).toMatchObject({
      status: 401,
      body: 'token-used: token: it was used for another key; ask for a new one\n',
    })
  })

  it('is over after ten minutes', async () => {
    const late = await openTestbed()
    try {
      const token = await late.token('late')
      const csr = csrFor('late')
      await simpleEnroll(late, 'late', token, csr)
      late.advance(10 * 60_000)
      const answer = await simpleEnroll(late, 'late', token, csr)
      expect(answer.status).toBe(401)
      expect(answer.body).toMatch(/^token-used: token: it was used at /)
    } finally {
      await late.close()
    }
  })
})

describe('a key', () => {
  it('of another device is refused: it was cloned', async () => {
    const { privateKey } = await enrolledDevice(testbed, 'original')
    const token = await testbed.token('clone')
    const answer = await simpleEnroll(testbed, 'clone', token, csrFor('clone', { privateKey }))
    expect(answer).toMatchObject({ status: 409, body: expect.stringMatching(/^key-in-use: csr: /) })
    const again = await simpleEnroll(testbed, 'clone', token, csrFor('clone'))
    expect(again.status).toBe(200)
  })

  it('of two devices that ask at the same moment is certified for one of them', async () => {
    const { privateKey } = generateKeyPair('P-256')
    const tokens = await Promise.all(['twin-1', 'twin-2'].map((id) => testbed.token(id)))
    const answers = await Promise.all(
      tokens.map((token, n) => restEnroll(testbed, token, csrFor(`twin-${n + 1}`, { privateKey }))),
    )
    expect(answers.map(({ status }) => status).sort((a, b) => a - b)).toEqual([201, 409])
  })

  it.each(['P-384', 'Ed25519', 'RSA-2048'] as const)('of the kind %s is certified', async (algorithm) => {
    const id = `key-${algorithm}`
    const token = await testbed.token(id)
    const { privateKey } = generateKeyPair(algorithm)
    const answer = await restEnroll(testbed, token, csrFor(id, { privateKey }))
    expect(answer.status).toBe(201)
  })
})

describe('a CSR', () => {
  it.each([
    ['for a CA', { basicConstraints: true }, 403, 'csr-ca-requested'],
    ['for the CN of another device', { commonName: 'somebody-else' }, 403, 'csr-common-name-other'],
    [
      'for the role operator',
      { subjectAltNames: [{ type: 'uri', value: 'spiffe://fleet.example/operator/asking' }] },
      403,
      'csr-subject-alt-name-not-allowed',
    ],
    [
      'for a host name',
      { subjectAltNames: [{ type: 'dns', value: 'broker.example' }] },
      403,
      'csr-subject-alt-name-not-allowed',
    ],
  ])('%s is refused and leaves the token good', async (_what, wish, status, code) => {
    const id = `asking-${code}-${Math.random().toString(36).slice(2)}`
    const token = await testbed.token(id)
    const { basicConstraints, ...options } = wish as Record<string, unknown>
    const extensions = basicConstraints
      ? // BasicConstraints ::= SEQUENCE { cA TRUE }
        [{ oid: '2.5.29.19', critical: true, value: Buffer.from([0x30, 0x03, 0x01, 0x01, 0xff]) }]
      : []
    const refused = await restEnroll(testbed, token, csrFor(id, { ...options, extensions }))
    expect(refused).toMatchObject({ status, json: { code } })
    expect((await restEnroll(testbed, token, csrFor(id))).status).toBe(201)
  })

  it('whose signature is of another key proves nothing', async () => {
    const token = await testbed.token('liar')
    const der = createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: 'liar' })
    der[der.length - 1] = (der.at(-1) ?? 0) ^ 1
    const answer = await restEnroll(testbed, token, der.toString('base64'))
    expect(answer).toMatchObject({ status: 400, json: { code: 'csr-signature-invalid' } })
  })
})

describe('the registry', () => {
  it('knows every certificate, as it was given out', async () => {
    const { certificate } = await enrolledDevice(testbed, 'remembered')
    const answer = await asOperator(`/v1/certificates/${certificate.serial}`)
    expect(answer.json).toMatchObject({
      serial: certificate.serial,
      deviceId: 'remembered',
      profile: 'device',
      status: 'issued',
      certificate: certificate.pem,
      notAfter: certificate.notAfter.toISOString(),
    })
    expect((await asOperator('/v1/devices/remembered')).json).toMatchObject({ state: 'enrolled' })
  })

  it('knows the certificates of the server and of its operator: they came the same way', async () => {
    for (const id of ['enrollment-server', 'operator']) {
      const { json } = await asOperator(`/v1/devices/${id}`)
      expect(json).toMatchObject({ state: 'enrolled', certificate: { serial: expect.any(String) } })
    }
  })
})

describe('the log', () => {
  it('has one line for each decision, with its code, and no secret', async () => {
    const token = await testbed.token('logged')
    await simpleEnroll(testbed, 'logged', token, csrFor('logged'))
    await simpleEnroll(testbed, 'logged', token, csrFor('logged'))
    const lines = testbed.lines.filter(({ deviceId }) => deviceId === 'logged')
    expect(lines.map(({ decision, protocol }) => [decision, protocol])).toEqual([
      ['issued', 'est'],
      ['token-used', 'est'],
    ])
    expect(JSON.stringify(testbed.lines)).not.toContain(token)
  })
})
