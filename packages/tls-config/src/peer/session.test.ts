import type { SecureVersion } from 'node:tls'
import { beforeAll, expect, test } from 'vitest'
import { clientTlsOptions } from '../options/client.ts'
import { serverTlsOptions } from '../options/server.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet } from '../testing/fleet.ts'
import { handshake } from '../testing/handshake.ts'
import { sessionFacts } from './session.ts'

let fleet: Fleet
beforeAll(async () => {
  fleet = await createFleet()
})

async function facts(version: SecureVersion, groups: string, withCertificate = true) {
  const { trust } = fleet
  const identity = await fleet.issueServer()
  const server = serverTlsOptions({ identity, trust, mode: 'compatible', clientCertificate: 'optional' })
  const client = clientTlsOptions({
    trust,
    mode: 'compatible',
    ...(withCertificate && { identity: await fleet.issue() }),
  })
  const narrowed = { ...client, minVersion: version, maxVersion: version, ecdhCurve: groups }
  const { seen } = await handshake(server, narrowed, (socket) => ({
    ...sessionFacts(socket),
    official: socket.getPeerX509Certificate()?.raw,
  }))
  return seen
}

test.each<[SecureVersion, string, string]>([
  ['TLSv1.3', 'X25519MLKEM768', 'X25519MLKEM768'],
  ['TLSv1.3', 'X25519', 'x25519'],
  ['TLSv1.3', 'P-256', 'secp256r1'],
  ['TLSv1.3', 'P-384', 'secp384r1'],
  ['TLSv1.2', 'X25519:P-256', 'x25519'],
  ['TLSv1.2', 'P-256', 'secp256r1'],
])(
  'over %s with %s the group is %s, and the certificate is the one that Node shows',
  async (version, groups, group) => {
    const seen = await facts(version, groups)
    expect(seen?.group).toBe(group)
    expect(seen?.certificate).toBeInstanceOf(Buffer)
    expect(seen?.certificate).toEqual(seen?.official)
  },
)

test.each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])(
  'over %s there is no certificate when none was sent',
  async (version) => {
    const seen = await facts(version, 'P-256', false)
    expect(seen).toEqual({ certificate: undefined, group: 'secp256r1', official: undefined })
  },
)

test('the record with the master secret is wiped after reading', async () => {
  const { trust } = fleet
  const identity = await fleet.issueServer()
  const server = serverTlsOptions({ identity, trust, mode: 'compatible', clientCertificate: 'optional' })
  const { seen } = await handshake(server, clientTlsOptions({ trust, mode: 'compatible' }), (socket) => {
    const record = socket.getSession()
    socket.getSession = () => record
    sessionFacts(socket)
    return record
  })
  expect(seen?.length).toBeGreaterThan(48)
  expect(seen?.every((octet) => octet === 0)).toBe(true)
})
