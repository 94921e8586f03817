import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:tls'
import type { ConnectionOptions, SecureVersion, Server, TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { clientTlsOptions } from '../options/client.ts'
import { serverTlsOptions } from '../options/server.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet } from '../testing/fleet.ts'
import { channelBinding } from './channel-binding.ts'

let fleet: Fleet
let server: Server
const accepted: TLSSocket[] = []
beforeAll(async () => {
  fleet = await createFleet()
  const identity = await fleet.issueServer()
  const { trust } = fleet
  server = createServer(
    serverTlsOptions({ identity, trust, mode: 'compatible', clientCertificate: 'optional' }),
  )
  server.on('secureConnection', (socket) => accepted.push(socket.on('error', () => {})))
  await once(server.listen(0, '127.0.0.1'), 'listening')
})
afterAll(async () => {
  server.close()
  await once(server, 'close')
})

/** Connects, and gives back what both ends see and the ticket for another connection. */
async function connection(version: SecureVersion, more: ConnectionOptions = {}) {
  const { port } = server.address() as AddressInfo
  const dial = clientTlsOptions({ trust: fleet.trust, mode: 'compatible', serverName: 'localhost' })
  const client = connect({
    host: '127.0.0.1',
    port,
    ...dial,
    minVersion: version,
    maxVersion: version,
    ...more,
  })
  const ticket = once(client, 'session') as Promise<[Buffer]>
  await once(client, 'secureConnect')
  const isResumed = client.isSessionReused()
  // In TLS 1.3 the ticket comes after the handshake; a resumed session of 1.2 brings no new one.
  const session = isResumed ? undefined : (await ticket)[0]
  while (accepted.length === 0) await once(server, 'secureConnection')
  const peer = accepted.shift()
  if (!peer) throw new Error('the server saw nobody')
  const seen = { ours: channelBinding(client, 'client'), theirs: channelBinding(peer, 'server') }
  client.destroy()
  peer.destroy()
  return { ...seen, isResumed, session }
}

describe.each<[SecureVersion, string, number]>([
  ['TLSv1.2', 'tls-unique', 12],
  ['TLSv1.3', 'tls-exporter', 32],
])('the channel binding of a connection over %s', (version, kind, length) => {
  test('is the same at both ends, and another one on another connection', async () => {
    const [first, second] = [await connection(version), await connection(version)]
    expect(first.ours).toEqual({ kind, value: expect.any(Buffer) as Buffer })
    expect(first.theirs).toEqual(first.ours)
    expect(second.theirs).toEqual(second.ours)
    expect(first.ours).not.toEqual(second.ours)
    expect('value' in first.ours && first.ours.value).toHaveLength(length)
  })

  test('is one of its own where the session was resumed', async () => {
    const first = await connection(version)
    const second = await connection(version, first.session && { session: first.session })
    expect(second.isResumed).toBe(true)
    expect(second.ours).toMatchObject({ kind })
    expect(second.theirs).toEqual(second.ours)
    expect(second.ours).not.toEqual(first.ours)
  })
})

describe('tls-unique', () => {
  // SSL_OP_NO_EXTENDED_MASTER_SECRET, which node:crypto has no name for.
  const secureOptions = 1

  test('does not count on a session that was resumed without extended master secret', async () => {
    const first = await connection('TLSv1.2', { secureOptions })
    expect(first.theirs).toMatchObject({ kind: 'tls-unique' })
    const second = await connection('TLSv1.2', {
      secureOptions,
      ...(first.session && { session: first.session }),
    })
    expect(second.isResumed).toBe(true)
    expect(second.theirs).toEqual({
      kind: 'none',
      detail: 'the TLS session was resumed without extended master secret: connect without resuming one',
    })
  })
})

test('a connection that is gone has none', async () => {
  const { port } = server.address() as AddressInfo
  const client = connect({
    host: '127.0.0.1',
    port,
    ...clientTlsOptions({ trust: fleet.trust, mode: 'strict' }),
  })
  client.on('error', () => {})
  client.destroy()
  expect(channelBinding(client, 'client')).toEqual({
    kind: 'none',
    detail: 'the TLS handshake is not finished',
  })
  accepted.splice(0).forEach((socket) => socket.destroy())
})
