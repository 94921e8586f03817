import { createPublicKey } from 'node:crypto'
import { createServer } from 'node:tls'
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createCsr, exportPrivateKey, generateKeyPair, publicKeyFingerprint } from '@fleetroot/pki'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { openAuthorizationService, type TestAuthorizationService } from '../testing/authorization-service.ts'
import { basic, certificateIn, csrFor, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let service: TestAuthorizationService
let testbed: Testbed
beforeAll(async () => {
  service = await openAuthorizationService()
  testbed = await openTestbed({ ...service.config, serverKeygen: true })
})
let id = 'pump-0'
beforeEach(() => {
  id = `pump-${Number(id.slice(5)) + 1}`
  service.asked.length = 0
  service.answer = (response) => response.end('{"allow": true}')
})
afterAll(async () => {
  await testbed.close()
  await service.close()
})

const deviceState = async (id: string) =>
  (await testbed.request(`/v1/devices/${id}`, { identity: testbed.operator })).json['state']
const audit = async () =>
  (
    (await testbed.request('/v1/audit?limit=1000', { identity: testbed.operator })).json['items'] as {
      record: Record<string, unknown>
    }[]
  ).map(({ record }) => record)

describe('a service that says yes', () => {
  it('lets EST and REST issue, and hears who is to get what for which key', async () => {
    const { privateKey } = generateKeyPair('P-256')
    const token = await testbed.token(id, { labels: { site: 'north' }, batch: '2030-07' })
    const csr = createCsr({ privateKey, commonName: id })
    expect((await restEnroll(testbed, token, csr.toString('base64'))).status).toBe(201)
    expect(service.asked.map(({ data }) => data)).toEqual([
      {
        deviceId: id,
        profile: 'device',
        credential: 'token',
        publicKey: publicKeyFingerprint(createPublicKey(privateKey)),
        dns: [],
        ip: [],
        labels: { site: 'north' },
        batch: '2030-07',
        protocol: 'rest',
        address: '127.0.0.1',
      },
    ])
    expect(service.asked[0]?.body).not.toContain(token)

    const answer = await simpleEnroll(testbed, `${id}-b`, await testbed.token(`${id}-b`), csrFor(`${id}-b`))
    expect(answer.status).toBe(200)
    expect(service.asked[1]?.data).toMatchObject({ deviceId: `${id}-b`, protocol: 'est' })
  })

  it('hears that the server is to make the key, before there is one, and of none that the device has', async () => {
    const token = await testbed.token(id)
    const generate = () =>
      testbed.request('/.well-known/est/serverkeygen', {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10', ...basic(id, token) },
        body: csrFor(id),
      })
    service.answer = (response) => response.end('{"allow": false}')
    expect((await generate()).body).toMatch(/^authorization-denied: /)
    service.answer = (response) => response.end('{"allow": true}')
    const answer = await generate()
    expect(answer.status).toBe(200)
    expect(answer.headers['content-type']).toMatch(/^multipart\/mixed/)
    const question = {
      deviceId: id,
      profile: 'device',
      credential: 'token',
      serverKey: true,
      dns: [],
      ip: [],
      labels: {},
      protocol: 'est',
      address: '127.0.0.1',
    }
    expect(service.asked.map(({ data }) => data)).toEqual([question, question])
  })

  it('is asked for a renewal, and not for an answer that is given again', async () => {
    const { privateKey } = generateKeyPair('P-256')
    const csr = csrFor(id, { privateKey })
    const token = await testbed.token(id)
    const certificate = certificateIn(await simpleEnroll(testbed, id, token, csr))
    await simpleEnroll(testbed, id, token, csr)
    expect(service.asked).toHaveLength(1)
    const identity = { key: exportPrivateKey(privateKey), cert: certificate.pem }
    const renew = () =>
      testbed.request('/.well-known/est/simplereenroll', {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10' },
        body: csr,
        identity,
      })
    expect((await renew()).status).toBe(200)
    expect(service.asked[1]?.data).toMatchObject({ deviceId: id, credential: 'certificate' })
    service.answer = (response) => response.end('{"allow":false}')
    expect(await renew()).toMatchObject({
      status: 403,
      body: expect.stringMatching(/^authorization-denied: /),
    })
  })

  it('hears nothing of what is refused anyway', async () => {
    const token = await testbed.token(id)
    expect((await restEnroll(testbed, token, csrFor(`${id}-b`))).status).toBe(403)
    expect((await restEnroll(testbed, 'A'.repeat(43), csrFor(id))).status).toBe(401)
    expect(service.asked).toEqual([])
  })

  it('can verify every question with a library for Standard Webhooks, and an altered one with none', async () => {
    await restEnroll(testbed, await testbed.token(id), csrFor(id))
    const [asked] = service.asked
    const headers = asked?.headers as Record<string, string>
    const verifier = new Webhook(service.secret)
    expect(verifier.verify(asked?.body ?? '', headers)).toMatchObject({ type: 'enrollment.authorize' })
    expect(() => verifier.verify(asked?.body.replace(id, 'pump-0') ?? '', headers)).toThrow(
      'No matching signature found',
    )
    const later = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) + 1) }
    expect(() => verifier.verify(asked?.body ?? '', later)).toThrow('No matching signature found')
  })
})

describe('a service that says no', () => {
  it('is obeyed: its reason goes to the device and into the audit, and the token stays good', async () => {
    service.answer = (response) =>
      response.end('{"id": 7, "allow": false, "reason": "not on the delivery note"}')
    const token = await testbed.token(id)
    const csr = csrFor(id)
    expect(await restEnroll(testbed, token, csr)).toMatchObject({
      status: 403,
      json: { code: 'authorization-denied', detail: 'authorization: not on the delivery note' },
    })
    const est = await simpleEnroll(testbed, id, token, csr)
    expect(est).toMatchObject({
      status: 403,
      body: 'authorization-denied: authorization: not on the delivery note\n',
    })
    expect(await audit()).toContainEqual(
      expect.objectContaining({
        type: 'refused',
        code: 'authorization-denied',
        deviceId: id,
        detail: 'authorization: not on the delivery note',
      }),
    )
    expect(await deviceState(id)).toBe('registered')
    service.answer = (response) => response.end('{"allow": true}')
    expect((await restEnroll(testbed, token, csr)).status).toBe(201)
  })
})

describe('a service whose answer does not count', () => {
  const answers: [string, (response: ServerResponse) => unknown][] = [
    ['says yes and more', (response) => response.end('{"allow": true, "note": "ok"}')],
    ['says yes after a space that JSON does not know', (response) => response.end('\u{a0}{"allow": true}')],
    ['says yes and no', (response) => response.end('{"allow": false, "allow": true}')],
    ['says "true"', (response) => response.end('{"allow": "true"}')],
    ['says 1', (response) => response.end('{"allow": 1}')],
    ['says nothing', (response) => response.end()],
    ['says null', (response) => response.end('null')],
    ['says yes with another status', (response) => response.writeHead(201).end('{"allow": true}')],
    ['fails', (response) => response.writeHead(500).end('{"allow": true}')],
    ['closes the connection', (response) => response.destroy()],
    [
      'breaks off',
      (response) => {
        response.writeHead(200, { 'content-length': 100 })
        response.write('{"allow": true}')
        response.destroy()
      },
    ],
    ['talks without end', (response) => response.end(' '.repeat(5000) + '{"allow": true}')],
    ['never finishes', (response) => void response.write('{"allow"')],
    ['never answers', () => undefined],
  ]
  it.each(answers)('that %s: nothing is issued, and the token stays good', async (_what, answer) => {
    service.answer = answer
    const token = await testbed.token(id)
    const csr = csrFor(id)
    const refused = await restEnroll(testbed, token, csr)
    expect(refused).toMatchObject({ status: 503, json: { code: 'authorization-unavailable' } })
    expect(Number(refused.headers['retry-after'])).toBeGreaterThan(0)
    expect(
      testbed.lines.some(({ msg }) => String(msg).startsWith('the authorization service gives no')),
    ).toBe(true)
    service.answer = (response) => response.end('{ "allow" : true }\n')
    expect((await restEnroll(testbed, token, csr)).status).toBe(201)
  })

  it('redirects: it is not followed', async () => {
    service.answer = (response, { headers }) => {
      if (headers['x-followed'] !== undefined) return response.end('{"allow": true}')
      return response.writeHead(307, { location: service.config.authorizationUrl }).end()
    }
    expect((await restEnroll(testbed, await testbed.token(id), csrFor(id))).status).toBe(503)
    expect(service.asked).toHaveLength(1)
  })

  it('is another one: a certificate of another CA is not believed', async () => {
    const other = await openAuthorizationService()
    const strict = await openTestbed({ ...service.config, authorizationUrl: other.config.authorizationUrl })
    expect((await restEnroll(strict, await strict.token(id), csrFor(id))).status).toBe(503)
    expect(other.asked).toEqual([])
    await strict.close()
    await other.close()
  })

  it('accepts connections and never shakes hands: the answer comes after two seconds', async () => {
    const silent = createServer().listen(0, '127.0.0.1')
    await once(silent, 'listening')
    const url = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`
    const patient = await openTestbed({ ...service.config, authorizationUrl: url })
    expect((await restEnroll(patient, await patient.token(id), csrFor(id))).status).toBe(503)
    await patient.close()
    silent.close()
  })
})

describe('while the service thinks', () => {
  /** Holds every answer back until it is called. */
  function holding(): () => void {
    const held: ServerResponse[] = []
    service.answer = (response) => held.push(response)
    return () => {
      service.answer = (response) => response.end('{"allow": true}')
      for (const response of held) response.end('{"allow": true}')
    }
  }
  const heard = async (count: number) => {
    await expect.poll(() => service.asked.length, { timeout: 10_000 }).toBe(count)
  }

  it('one token works once, however many ask with it', async () => {
    const token = await testbed.token(id)
    const release = holding()
    const answers = Array.from({ length: 5 }, () => restEnroll(testbed, token, csrFor(id)))
    await heard(5)
    release()
    const statuses = (await Promise.all(answers)).map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses).toEqual([201, 401, 401, 401, 401])
  })

  it('a device that is suspended meanwhile gets nothing', async () => {
    const token = await testbed.token(id)
    const release = holding()
    const answer = restEnroll(testbed, token, csrFor(id))
    await heard(1)
    await testbed.request(`/v1/devices/${id}/suspend`, { method: 'POST', identity: testbed.operator })
    release()
    expect((await answer).json['code']).toBe('device-inactive')
  })

  it('everything else goes on', async () => {
    const tokens = [await testbed.token(id), await testbed.token(`${id}-b`)]
    const release = holding()
    const waiting = restEnroll(testbed, tokens[0] ?? '', csrFor(id))
    await heard(1)
    const revoked = await testbed.request(`/v1/devices/${id}-b/revoke`, {
      method: 'POST',
      identity: testbed.operator,
    })
    expect(revoked.status).toBe(200)
    release()
    expect((await waiting).status).toBe(201)
  })
})
