import type { KeyObject } from 'node:crypto'
import { Agent, request } from 'node:https'
import { text } from 'node:stream/consumers'
import type { SecureVersion, TLSSocket } from 'node:tls'
import { createEstClient } from '@fleetroot/device-client'
import { createCsr, defaultProfiles, exportPrivateKey, generateKeyPair, type Profile } from '@fleetroot/pki'
import { channelBinding } from '@fleetroot/tls-config'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { basic, certificateIn, csrFor, enrolledDevice, restEnroll, simpleEnroll } from '../testing/enroll.ts'
import { makeClaim } from '../testing/claim.ts'
import type { Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

const linked: Profile = { ...defaultProfiles.device, name: 'linked', requireLinking: true }
let testbed: Testbed
beforeAll(async () => {
  testbed = await openTestbed({ profiles: [linked] })
})
afterAll(() => testbed.close())

const est = '/.well-known/est'

interface EnrollOptions {
  /** The connection that the CSR is made for, instead of its own. */
  other?: Link
  agent?: Agent
  identity?: Identity
  path?: string
  privateKey?: KeyObject
  /** In which attributes the channel binding stands. */
  attributes?: readonly ('challengePassword' | 'estIdentityLinking')[]
}

interface Link {
  readonly kind: string
  readonly password: string
  readonly resumed: boolean
}

/**
 * Shakes hands, has the CSR made for that connection, and sends it. Whoever is in the middle of two connections would
 * send what was made for `other`.
 */
async function enrollOver(
  version: SecureVersion,
  id: string,
  headers: Record<string, string>,
  options: EnrollOptions = {},
): Promise<{ status: number; body: string; link: Link }> {
  const { other, identity, path = `${est}/${identity ? 'simplereenroll' : 'simpleenroll'}` } = options
  const outgoing = request({
    host: 'localhost',
    port: testbed.port,
    path,
    method: 'POST',
    headers: { 'content-type': 'application/pkcs10', ...headers },
    ca: testbed.root,
    agent: options.agent ?? false,
    minVersion: version,
    maxVersion: version,
    ...identity,
  })
  return new Promise((resolve, reject) => {
    let link: Link
    const send = (socket: TLSSocket): void => {
      const binding = channelBinding(socket, 'client')
      if (binding.kind === 'none') return reject(new Error(binding.detail))
      const password = binding.value.toString('base64')
      link = { kind: binding.kind, password, resumed: socket.isSessionReused() }
      const { privateKey = generateKeyPair('P-256').privateKey } = options
      const { attributes = ['challengePassword'] } = options
      const bindings = Object.fromEntries(attributes.map((name) => [name, (other ?? link).password]))
      outgoing.end(createCsr({ privateKey, commonName: id, ...bindings }).toString('base64'))
    }
    outgoing.on('error', reject)
    outgoing.on('socket', (socket) => {
      if (outgoing.reusedSocket) send(socket as TLSSocket)
      else socket.once('secureConnect', () => send(socket as TLSSocket))
    })
    outgoing.on('response', (incoming) => {
      text(incoming).then((body) => resolve({ status: incoming.statusCode ?? 0, body, link }), reject)
    })
  })
}

describe.each<[SecureVersion, string]>([
  ['TLSv1.2', 'tls-unique'],
  ['TLSv1.3', 'tls-exporter'],
])('a CSR that is linked to its connection over %s', (version, kind) => {
  const name = (what: string): string => `${what}-${version.replace('.', '-')}`

  it('is granted, for a token and for a renewal', async () => {
    const id = name('linked')
    const answer = await enrollOver(version, id, basic(id, await testbed.token(id)))
    expect(answer).toMatchObject({ status: 200, link: { kind, resumed: false } })
    const { identity } = await enrolledDevice(testbed, name('renewing'))
    expect(await enrollOver(version, name('renewing'), {}, { identity })).toMatchObject({ status: 200 })
  })

  it('is refused on every other connection, and the token stays good', async () => {
    const id = name('relayed')
    const token = await testbed.token(id)
    const { link: other } = await enrollOver(version, id, basic(id, 'A'.repeat(43)))
    const relayed = await enrollOver(version, id, basic(id, token), { other })
    expect(relayed.status).toBe(403)
    expect(relayed.body).toBe(
      'linking-wrong: csr: its challengePassword is not that of this connection: ' +
        `put the ${kind} of this connection there in base64, or leave it out\n`,
    )
    expect((await enrollOver(version, id, basic(id, token))).status).toBe(200)
  })

  it('may say so by estIdentityLinking, too, and both of them count', async () => {
    const id = name('identity-linking')
    const token = await testbed.token(id, { profile: 'linked' })
    const { link: other } = await enrollOver(version, id, basic(id, 'A'.repeat(43)))
    const attributes = ['estIdentityLinking'] as const
    const relayed = await enrollOver(version, id, basic(id, token), { other, attributes })
    expect(relayed.status).toBe(403)
    expect(relayed.body).toMatch(
      /^linking-wrong: csr: its estIdentityLinking is not that of this connection: /,
    )
    expect((await enrollOver(version, id, basic(id, token), { attributes })).status).toBe(200)
    const both = name('twice-linked')
    const options = { attributes: ['challengePassword', 'estIdentityLinking'] as const }
    const answer = await enrollOver(version, both, basic(both, await testbed.token(both)), options)
    expect(answer.status).toBe(200)
  })

  it('is granted on a session that was resumed, whose binding is another one', async () => {
    const agent = new Agent({ keepAlive: false, maxCachedSessions: 10 })
    const id = name('resuming')
    const token = await testbed.token(id)
    const first = await enrollOver(version, id, basic(id, 'A'.repeat(43)), { agent })
    const again = await enrollOver(version, id, basic(id, token), { agent, other: first.link })
    expect(again).toMatchObject({ status: 403, link: { resumed: true } })
    expect(again.link.password).not.toBe(first.link.password)
    const linkedAgain = await enrollOver(version, id, basic(id, token), { agent })
    expect(linkedAgain).toMatchObject({ status: 200, link: { resumed: true } })
    agent.destroy()
  })

  it('is granted on a connection that was kept alive', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    const ids = [name('kept-1'), name('kept-2')]
    const answers = []
    for (const id of ids)
      answers.push(await enrollOver(version, id, basic(id, await testbed.token(id)), { agent }))
    expect(answers.map(({ status }) => status)).toEqual([200, 200])
    expect(answers[0]?.link.password).toBe(answers[1]?.link.password)
    agent.destroy()
  })
})

describe('a CSR with a challengePassword that is none', () => {
  it('is refused in REST as in EST, and reported', async () => {
    const id = 'guessing'
    const token = await testbed.token(id)
    for (const challengePassword of ['secret', '']) {
      const csr = csrFor(id, { challengePassword })
      const answer = await restEnroll(testbed, token, csr)
      expect(answer).toMatchObject({ status: 403, json: { code: 'linking-wrong' } })
      expect((answer.json['csr'] as { fields: object[] }).fields).toContainEqual({
        field: 'challengePassword',
        decision: 'refused',
        reason: answer.json['detail'],
      })
      expect(await simpleEnroll(testbed, id, token, csr)).toMatchObject({ status: 403 })
    }
    const linkedElsewhere = await restEnroll(testbed, token, csrFor(id, { estIdentityLinking: 'secret' }))
    expect(linkedElsewhere).toMatchObject({ status: 403, json: { code: 'linking-wrong' } })
    expect((linkedElsewhere.json['csr'] as { fields: object[] }).fields).toContainEqual(
      expect.objectContaining({ field: 'estIdentityLinking', decision: 'refused' }),
    )
    expect((await restEnroll(testbed, token, csrFor(id))).status).toBe(201)
  })

  it('means nothing where an operator passes on the CSR of a production line', async () => {
    const csr = csrFor('line-7', { challengePassword: 'secret' })
    const json = { id: 'line-7', batch: 'b', quota: 1, csr }
    const identity = testbed.operator
    expect((await testbed.request('/v1/claims', { method: 'POST', identity, json })).status).toBe(201)
  })
})

describe('a profile that requires linking', () => {
  const path = `${est}/linked/simpleenroll`

  it('refuses a CSR without it and says what to put there; the token stays good', async () => {
    const id = 'unlinked'
    const token = await testbed.token(id, { profile: 'linked' })
    expect(await simpleEnroll(testbed, id, token, csrFor(id), path)).toMatchObject({
      status: 403,
      body:
        'linking-required: csr: profile linked needs a challengePassword: ' +
        'put the tls-exporter of this connection there in base64\n',
    })
    expect((await restEnroll(testbed, token, csrFor(id))).json['code']).toBe('linking-required')
    expect((await enrollOver('TLSv1.2', id, basic(id, token), { path })).status).toBe(200)
  })

  it('is for renewals, too', async () => {
    const id = 'unlinked-later'
    const token = await testbed.token(id, { profile: 'linked' })
    const { privateKey } = generateKeyPair('P-256')
    const first = await enrollOver('TLSv1.3', id, basic(id, token), { privateKey })
    const cert = certificateIn({ ...first, headers: {}, json: {} }).pem
    const identity = { key: exportPrivateKey(privateKey), cert }
    const headers = { 'content-type': 'application/pkcs10' }
    const renewal = { method: 'POST', headers, body: csrFor(id), identity }
    const answer = await testbed.request(`${est}/simplereenroll`, renewal)
    expect(answer).toMatchObject({ status: 403, body: expect.stringMatching(/^linking-required: /) })
    expect((await enrollOver('TLSv1.2', id, {}, { identity })).status).toBe(200)
  })
})

describe('csrattrs without a label', () => {
  const wanted = (label: string, identity?: Identity) =>
    testbed.request(`${est}${label}/csrattrs`, identity && { identity })

  it('says of the profile that the certificate of the caller is registered for what its label says', async () => {
    const { identity } = await enrolledDevice(testbed, 'plain')
    expect((await wanted('', identity)).body).toBe((await wanted('/device')).body)
    const id = 'linked-attributes'
    const token = await testbed.token(id, { profile: 'linked' })
    const { privateKey } = generateKeyPair('P-256')
    const first = await enrollOver('TLSv1.3', id, basic(id, token), { privateKey })
    const { pem: cert } = certificateIn({ ...first, headers: {}, json: {} })
    const linkedIdentity = { key: exportPrivateKey(privateKey), cert }
    expect((await wanted('', linkedIdentity)).body).toBe((await wanted('/linked')).body)
    expect((await wanted('/linked')).body).not.toBe((await wanted('/device')).body)
    // Whoever renews itself names no other profile than its own; asking about one is free.
    expect((await wanted('/device', linkedIdentity)).body).toBe((await wanted('/device')).body)
  })

  it('asks who has none to link, where a profile may require it, and that is granted for every profile', async () => {
    // SEQUENCE { OBJECT IDENTIFIER challengePassword, OBJECT IDENTIFIER estIdentityLinking }
    const oids = '301806092a864886f70d010907060b2a864886f70d010910023a'
    const linking = Buffer.from(oids, 'hex').toString('base64')
    expect(await wanted('')).toMatchObject({ status: 200, body: `${linking}\n` })
    const claim = await makeClaim(testbed, 'line-attributes', 'b')
    expect((await wanted('', claim.identity)).body).toBe(`${linking}\n`)
    for (const profile of ['device', 'linked']) {
      const id = `asked-${profile}`
      const token = await testbed.token(id, { profile })
      expect((await enrollOver('TLSv1.2', id, basic(id, token))).status).toBe(200)
    }
  })
})

describe('the EST client of this project', () => {
  it('links its requests when it is given a function that makes the CSR', async () => {
    const client = createEstClient({
      url: `https://localhost:${testbed.port}`,
      trust: [testbed.root],
    })
    const asked: string[] = []
    const { privateKey } = generateKeyPair('P-256')
    const csr = (challengePassword: string): Buffer => {
      asked.push(challengePassword)
      return createCsr({ privateKey, commonName: 'linking-client', challengePassword })
    }
    try {
      const password = await testbed.token('linking-client', { profile: 'linked' })
      const certificate = await client.simpleEnroll(csr, { username: 'linking-client', password })
      const identity = { key: exportPrivateKey(privateKey), cert: certificate.pem }
      expect((await client.simpleReenroll(csr, identity)).serial).not.toBe(certificate.serial)
      // Each connection has its own.
      expect(new Set(asked).size).toBe(2)
      const unlinked = createCsr({ privateKey, commonName: 'linking-client' })
      await expect(client.simpleReenroll(unlinked, identity)).rejects.toMatchObject({ status: 403 })
    } finally {
      client.close()
    }
  })
})
