import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { createLogger } from '@fleetroot/service'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import { parseCertificates } from '@fleetroot/pki'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { BrokerCounts } from '../metrics/counts.ts'
import type { Revocation } from '../revocation/revocation.ts'
import { issueFor, makeAuthority, type TestAuthority, type Wish } from '../testing/authority.ts'
import { knownRevocation } from '../testing/known-revocation.ts'
import { openOperatorListener, type OperatorListener } from './operator-listener.ts'

let authority: TestAuthority
let revocation: Revocation
let listener: OperatorListener
let counts: BrokerCounts
let time: number | undefined
const log: string[] = []

beforeAll(async () => {
  authority = await makeAuthority()
  counts = new BrokerCounts()
  revocation = knownRevocation(authority.authorities, { now: () => time ?? Date.now(), afterMs: 3_600_000 })
  const identity = await issueFor(authority, { profile: 'service', id: 'broker' })
  listener = await openOperatorListener({
    host: '127.0.0.1',
    port: 0,
    mode: 'compatible',
    routes: [
      { method: 'GET', path: '/v1/who', answer: ({ caller }) => ({ body: { caller } }) },
      { method: 'POST', path: '/v1/who', answer: ({ body }) => ({ status: 201, body }) },
    ],
    identity: () => identity,
    authorities: () => authority.authorities,
    revocation,
    counts,
    log: createLogger({ name: 'broker', level: 'info', stream: { write: (line) => void log.push(line) } }),
    now: () => time ?? Date.now(),
  })
})
beforeEach(() => {
  time = undefined
})
afterAll(() => listener.close())

const issue = (profile: Wish['profile'], more: Partial<Wish> = {}): Promise<KeyAndCertificate> =>
  issueFor(authority, { profile, id: `some-${profile}`, ...more })

function agentOf(identity: KeyAndCertificate | undefined): Agent {
  const options = { trust: [authority.root.pem], mode: 'compatible' as const, ...(identity && { identity }) }
  return new Agent({ ...clientTlsOptions(options), keepAlive: true, maxSockets: 1 })
}

async function ask(
  agent: Agent,
  { method = 'GET', path = '/v1/who', headers = {}, body = '' } = {},
): Promise<{ status: number | undefined; body: unknown }> {
  const options = { agent, method, headers, host: '127.0.0.1', port: listener.port, path }
  const outgoing = request(options).end(body)
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  return { status: response.statusCode, body: JSON.parse(Buffer.concat(await response.toArray()).toString()) }
}

async function askAs(identity: KeyAndCertificate | undefined, how = {}): Promise<ReturnType<typeof ask>> {
  const agent = agentOf(identity)
  try {
    return await ask(agent, how)
  } finally {
    agent.destroy()
  }
}

describe('administration over mutual TLS', () => {
  test('is open to an operator, who is known by id', async () => {
    const operator = await issue('operator')
    expect(await askAs(operator)).toEqual({ status: 200, body: { caller: 'some-operator' } })
    const how = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}' }
    expect(await askAs(operator, how)).toEqual({ status: 201, body: { a: 1 } })
  })

  test.each(['device', 'service', 'claim'] as const)(
    'is closed to a %s, in log and metrics',
    async (profile) => {
      const before = counts.refused.get('not-an-operator') ?? 0
      expect(await askAs(await issue(profile))).toEqual({
        status: 403,
        body: { code: 'not-an-operator', detail: expect.stringContaining(`${profile} some-${profile}`) },
      })
      expect(counts.refused.get('not-an-operator')).toBe(before + 1)
      expect(log.at(-1)).toContain('"administrative request refused"')
    },
  )

  test('is closed to whoever has no certificate, or one of another fleet', async () => {
    const { services } = await makeAuthority()
    await expect(askAs(undefined)).rejects.toThrow(/certificate required|ECONNRESET|socket hang up/)
    await expect(askAs(await issue('operator', { issuer: services }))).rejects.toThrow(
      /alert|ECONNRESET|socket hang up/,
    )
  })

  test('is closed to an operator of the CA for devices, which may make none', async () => {
    const { status, body } = await askAs(await issue('operator', { issuer: authority.devices }))
    expect({ status, body }).toMatchObject({ status: 403, body: { code: 'role-not-allowed' } })
  })

  test('is closed to an operator of another trust domain', async () => {
    const { body } = await askAs(await issue('operator', { trustDomain: 'other.test' }))
    expect(body).toMatchObject({ code: 'trust-domain-other' })
  })

  test('ends for an operator who is revoked, on the connection that is open', async () => {
    const identity = await issue('operator')
    const { serial } = parseCertificates(identity.cert)[0]!
    const agent = agentOf(identity)
    expect((await ask(agent)).status).toBe(200)
    const issuerKeyId = authority.services.certificate.subjectKeyId ?? ''
    revocation.applyTo({ issuerKeyId, serial }, 'revoked', 1)
    expect(await ask(agent)).toMatchObject({ status: 403, body: { code: 'certificate-revoked' } })
    agent.destroy()
    expect(await askAs(identity)).toMatchObject({ status: 403, body: { code: 'certificate-revoked' } })
  })

  test('ends when the certificate does, on the connection that is open', async () => {
    const identity = await issue('operator', { lifetimeSeconds: 600 })
    const agent = agentOf(identity)
    expect((await ask(agent)).status).toBe(200)
    time = Date.now() + 700_000
    expect(await ask(agent)).toMatchObject({ status: 403, body: { code: 'certificate-expired' } })
    agent.destroy()
  })

  test('is closed while nothing recent is known of revoked certificates', async () => {
    time = Date.now() + 3_700_000
    expect(await askAs(await issue('operator'))).toMatchObject({
      status: 403,
      body: { code: 'revocation-stale' },
    })
  })

  test.each([{ origin: 'https://127.0.0.1' }, { 'sec-fetch-site': 'cross-site' }])(
    'is no way in for a web page to which the browser lends the operator’s certificate: %j',
    async (headers) => {
      expect(await askAs(await issue('operator'), { headers })).toMatchObject({
        status: 403,
        body: { code: 'forbidden' },
      })
    },
  )

  test('says what it does not have', async () => {
    expect(await askAs(await issue('operator'), { path: '/metrics' })).toMatchObject({
      status: 404,
      body: { code: 'not-found' },
    })
  })
})
