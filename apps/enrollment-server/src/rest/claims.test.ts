import { createCsr, generateKeyPair, parseCertificate } from '@fleetroot/pki'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { csrFor, simpleEnroll } from '../testing/enroll.ts'
import { command } from '../testing/operator.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed()
})
afterAll(() => testbed.close())

const read = async (path: string) => testbed.request(path, { identity: testbed.operator })
const claim = async (id: string) => (await read(`/v1/claims/${id}`)).json

describe('a claim', () => {
  it('is a certificate of the role claim, which an operator makes, lists and reads', async () => {
    const { privateKey } = generateKeyPair('P-256')
    const csr = createCsr({ privateKey, commonName: 'line-1' }).toString('base64')
    const body = { id: 'line-1', batch: '2030-07', quota: 3, csr, expiresInSeconds: 3600 }
    const answer = await command(testbed, '/v1/claims', body)
    expect(answer).toMatchObject({
      status: 201,
      headers: { location: '/v1/claims/line-1' },
      json: { id: 'line-1', batch: '2030-07', quota: 3, used: 0, state: 'usable' },
    })
    const certificate = parseCertificate(answer.json['certificate'] as string)
    expect(certificate.subjectAltNames).toEqual([
      { type: 'uri', value: 'spiffe://fleet.example/claim/line-1' },
    ])
    expect(certificate.notAfter.getTime() - Date.now()).toBeLessThanOrEqual(3_600_000)
    const { certificate: _pem, chain: _chain, ...shown } = answer.json
    expect((await read('/v1/claims')).json['items']).toContainEqual(shown)
    expect(await claim('line-1')).toEqual(shown)
    const { json } = await read('/v1/audit?limit=1000')
    const records = (json['items'] as { record: Record<string, unknown> }[]).map(({ record }) => record)
    const by = expect.objectContaining({ kind: 'operator', id: 'operator' }) as unknown
    for (const type of ['claim-made', 'issued']) {
      expect(records).toContainEqual(expect.objectContaining({ type, deviceId: 'line-1', by }))
    }

    expect(await command(testbed, '/v1/claims', body)).toMatchObject({
      status: 409,
      json: { code: 'claim-exists' },
    })
  })

  it.each([
    [{ csr: 'no csr' }, 400, 'body-malformed'],
    [{ csr: csrFor('another') }, 403, 'csr-common-name-other'],
    [{ quota: 0 }, 400, 'field-invalid'],
    [{ batch: 'a b' }, 400, 'field-invalid'],
    [{ id: 'operator' }, 409, 'device-managed'],
    [{ expiresInSeconds: 1e9 }, 400, 'field-invalid'],
  ])('is not made with %j', async (change, status, code) => {
    const body = { id: 'bad-line', batch: 'b', quota: 1, csr: csrFor('bad-line'), ...change }
    expect(await command(testbed, '/v1/claims', body)).toMatchObject({ status, json: { code } })
  })

  it('whose making was interrupted is made by the same request again', async () => {
    const body = { id: 'half', batch: 'b', quota: 1 }
    const { privateKey } = generateKeyPair('P-256')
    await simpleEnroll(testbed, 'copied', await testbed.token('copied'), csrFor('copied', { privateKey }))
    expect(
      await command(testbed, '/v1/claims', { ...body, csr: csrFor('half', { privateKey }) }),
    ).toMatchObject({
      json: { code: 'key-in-use' },
    })
    expect(await claim('half')).toMatchObject({ state: 'unfinished' })
    const answer = await command(testbed, '/v1/claims', { ...body, csr: csrFor('half') })
    expect(answer).toMatchObject({ status: 201, json: { state: 'usable' } })
  })
})

describe('making a claim', () => {
  it('of many requests at once makes one certificate, which is the one that is shown', async () => {
    const body = { id: 'line-at-once', batch: 'b', quota: 1 }
    const keys = Array.from({ length: 8 }, () => generateKeyPair('P-256'))
    const answers = await Promise.all(
      keys.map(({ privateKey }) =>
        command(testbed, '/v1/claims', { ...body, csr: csrFor(body.id, { privateKey }) }),
      ),
    )
    const [made, ...more] = answers.filter(({ status }) => status === 201)
    expect(more).toEqual([])
    for (const answer of answers) if (answer !== made) expect(answer.json['code']).toBe('claim-exists')
    const { serial } = parseCertificate(made?.json['certificate'] as string)
    expect(made?.json['serial']).toBe(serial)
    const { json } = await read(`/v1/certificates?deviceId=${body.id}`)
    expect((json['items'] as { serial: string }[]).map((one) => one.serial)).toEqual([serial])
  })

  it('with a CSR that may not be leaves nothing behind: the id can be had with a good one', async () => {
    const body = { id: 'line-mended', batch: 'b', quota: 1 }
    const bad = await command(testbed, '/v1/claims', { ...body, csr: csrFor('another') })
    expect(bad).toMatchObject({ status: 403, json: { code: 'csr-common-name-other' } })
    expect((await read('/v1/claims/line-mended')).status).toBe(404)
    const good = await command(testbed, '/v1/claims', { ...body, quota: 5, csr: csrFor(body.id) })
    expect(good).toMatchObject({ status: 201, json: { quota: 5 } })
  })
})
