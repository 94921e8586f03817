import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { nameOf } from '@fleetroot/pki'
import { makeIssuing, makeRoot } from '@fleetroot/pki/testing'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { issueWithSubject, makeAuthority } from '../testing/authority.ts'
import { defaultPolicy } from '../testing/bench-engine.ts'
import { type LiveBroker, type OpenOptions, startLiveBroker, type Transport } from '../testing/live-broker.ts'
import { parsePolicy } from '@fleetroot/policy'

let live: LiveBroker

beforeEach(async () => {
  live = await startLiveBroker()
})
afterEach(async () => {
  await live.close()
})

/** Whether a CONNECT with this certificate is answered; if not, nothing at all must come back. */
async function isAnswered(
  identity: KeyAndCertificate | undefined,
  clientId: string,
  how: OpenOptions = {},
): Promise<boolean> {
  try {
    const client = await live.open(identity, how)
    const connack = await client.connect({ clientId })
    return connack.returnCode === 0
  } catch {
    return false
  }
}
const refusals = (): Record<string, number> => Object.fromEntries(live.broker.counts.refused)

describe.each<Transport>(['mqtts', 'wss'])('over %s', (transport) => {
  test.each(['device', 'service', 'operator'] as const)(
    'a %s certificate of its CA is admitted',
    async (profile) => {
      expect(await isAnswered(await live.issue(profile, 'x'), 'x', { transport })).toBe(true)
    },
  )

  test('a claim certificate is refused, even by a policy that is asked to admit everybody', async () => {
    expect(await isAnswered(await live.issue('claim', 'batch'), 'batch', { transport })).toBe(false)
    expect(refusals()).toEqual({ 'role-claim': 1 })
  })

  test('a certificate of another trust domain is refused, though our own CA issued it', async () => {
    const other = await live.issue('device', 'x', { trustDomain: 'other.test' })
    expect(await isAnswered(other, 'x', { transport })).toBe(false)
    expect(refusals()).toEqual({ 'trust-domain-other': 1 })
  })

  test('a service certificate that the Devices CA issued is refused', async () => {
    const forged = await live.issue('service', 'boss', { issuer: live.authority.devices })
    expect(await isAnswered(forged, 'boss', { transport })).toBe(false)
    expect(refusals()).toEqual({ 'role-not-allowed': 1 })
  })

  test('a device certificate that the Services CA issued is refused', async () => {
    const forged = await live.issue('device', 'x', { issuer: live.authority.services })
    expect(await isAnswered(forged, 'x', { transport })).toBe(false)
    expect(refusals()).toEqual({ 'role-not-allowed': 1 })
  })

  test('a role to which the policy gives nothing is refused', async () => {
    live.broker.setPolicy(parsePolicy('version: 1\nroles: {}\n', 'empty'))
    expect(await isAnswered(await live.issue('device', 'x'), 'x', { transport })).toBe(false)
    live.broker.setPolicy(defaultPolicy)
    expect(refusals()).toEqual({ 'role-without-policy': 1 })
  })

  test('a certificate with two CNs is refused', async () => {
    const [cn] = nameOf({ commonName: 'eve' })
    const [other] = nameOf({ commonName: 'bob' })
    for (const subject of [[cn!, other!], [other!, cn!], [[...cn!, ...other!]], [cn!, cn!]]) {
      const forged = await issueWithSubject(live.authority, 'eve', subject)
      expect(await isAnswered(forged, 'eve', { transport })).toBe(false)
      expect(await isAnswered(forged, 'bob', { transport })).toBe(false)
    }
    expect(refusals()).toEqual({ 'common-name-duplicate': 6, 'name-multi-valued': 2 })
  })

  test.each(['bob', 'eve\u0000', 'eve/x', '#', '', 'ev\u0435'])(
    'a CN %j beside a SPIFFE name of eve is refused',
    async (commonName) => {
      const subject = commonName === '' ? [] : nameOf({ commonName })
      const forged = await issueWithSubject(live.authority, 'eve', subject)
      expect(await isAnswered(forged, 'eve', { transport })).toBe(false)
      expect(await isAnswered(forged, 'bob', { transport })).toBe(false)
    },
  )

  test('an expired certificate is refused in the handshake', async () => {
    const old = await live.issue('device', 'x', {
      issuedAt: new Date(Date.now() - 7_200_000),
      lifetimeSeconds: 60,
    })
    expect(await isAnswered(old, 'x', { transport })).toBe(false)
    expect(refusals()).toEqual({ 'certificate-expired': 1 })
  })

  test('a certificate of another hierarchy with the same names is refused', async () => {
    const other = await makeAuthority()
    const forged = await live.issue('device', 'x', { issuer: other.devices })
    expect(await isAnswered(forged, 'x', { transport })).toBe(false)
    expect(live.broker.counts.tls.size).toBe(0)
  })

  test('a certificate from the factory is refused, whatever it says, and though the root of the fleet vouches for its CA', async () => {
    const acme = await makeRoot({ commonName: 'Acme Root' })
    const makers = await Promise.all(
      [acme, live.authority.rootIssuer].map((above) => makeIssuing(above, { commonName: 'Acme Devices' })),
    )
    for (const issuer of makers) {
      // It has the names of a device of this fleet, as well as a manufacturer can write them.
      const idevid = await live.issue('device', 'x', { issuer })
      expect(await isAnswered(idevid, 'x', { transport })).toBe(false)
    }
    expect(refusals()).toEqual({ 'unknown-authority': 2 })
  })

  test('no certificate is refused', async () => {
    expect(await isAnswered(undefined, 'x', { transport })).toBe(false)
    expect(live.broker.counts.tls.size).toBe(0)
  })
})

describe('a resumed session', () => {
  /** A session ticket of a connection that works, and the identity that it was made with. */
  async function ticket(
    maxVersion: 'TLSv1.2' | 'TLSv1.3',
  ): Promise<{ identity: KeyAndCertificate; session: Buffer }> {
    const identity = await live.issue('device', 'x')
    const session = Promise.withResolvers<Buffer>()
    const client = await live.open(identity, {
      maxVersion,
      onSocket: (socket) => socket.once('session', session.resolve),
    })
    await client.connect({ clientId: 'x' })
    return { identity, session: await session.promise }
  }

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'is admitted while the certificate is valid: %s',
    async (maxVersion) => {
      const { identity, session } = await ticket(maxVersion)
      expect(await isAnswered(identity, 'x', { session, maxVersion })).toBe(true)
      expect(
        [...live.broker.counts.tls.keys()].some(
          (key) => key.startsWith(`${maxVersion} `) && key.endsWith(' resumed'),
        ),
      ).toBe(true)
    },
  )

  test.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of a certificate that has expired since is refused: %s',
    async (maxVersion) => {
      const { identity, session } = await ticket(maxVersion)
      live.time = Date.now() + 31 * 86_400_000
      expect(await isAnswered(identity, 'x', { session, maxVersion })).toBe(false)
      expect(refusals()).toEqual({ 'certificate-expired': 1 })
    },
  )
})

test('a session ends when its certificate does, without a word from its client', async () => {
  const client = await live.join('device', 'x')
  live.time = Date.now() + 31 * 86_400_000
  await client.closed
  expect(live.broker.counts.ended.get('certificate-expired')).toBe(1)
})

test('TLS version and group of each session are counted', async () => {
  await live.join('device', 'x')
  await live.join('device', 'y', { maxVersion: 'TLSv1.2' })
  expect(Object.fromEntries(live.broker.counts.tls)).toEqual({
    'TLSv1.3 X25519MLKEM768 full': 1,
    'TLSv1.2 x25519 full': 1,
  })
})

test.each(['mqtts', 'wss'] as const)('plain text on the %s port gets nothing', async (transport) => {
  const socket = connectTcp(live.broker.ports[transport], '127.0.0.1')
  const received: Buffer[] = []
  socket.on('data', (chunk: Buffer) => received.push(chunk)).on('error', () => undefined)
  socket.write(Buffer.of(0x10, 13, 0, 4, 0x4d, 0x51, 0x54, 0x54, 4, 2, 0, 60, 0, 1, 0x78))
  await once(socket, 'close')
  const bytes = Buffer.concat(received)
  // A TLS alert at most, never a CONNACK.
  expect(bytes.length === 0 || bytes[0] === 0x15).toBe(true)
  expect([...live.broker.counts.refused.values()]).toEqual([1])
  expect(live.broker.counts.admitted).toBe(0)
})

test('a certificate replaced while the broker runs is shown to new clients', async () => {
  const { authority, broker } = live
  const next = await live.issue('service', 'broker')
  broker.setIdentity(next)
  let shown: string | undefined
  await live.open(await live.issue('device', 'x'), {
    onSocket: (socket) =>
      socket.once('secureConnect', () => (shown = socket.getPeerX509Certificate()?.serialNumber)),
  })
  expect(next.cert).toContain(authority.services.certificate.pem)
  expect(shown).toBe(new X509Certificate(next.cert).serialNumber)
})
