import { randomBytes } from 'node:crypto'
import type { SecureVersion, TLSSocket, TlsOptions } from 'node:tls'
import { nameOf } from '@fleetroot/pki'
import { beforeAll, describe, expect, test } from 'vitest'
import { clientTlsOptions } from '../options/client.ts'
import { serverTlsOptions } from '../options/server.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet, Leaf } from '../testing/fleet.ts'
import { handshake } from '../testing/handshake.ts'
import { unusualCertificate } from '../testing/unusual-certificate.ts'
import { peerIdentity } from './identity.ts'
import { sessionFacts } from './session.ts'

/** Shared by the processes behind one port, so that a ticket outlives the server that gave it. */
const ticketKeys = randomBytes(48)

let fleet: Fleet
let server: Leaf
let leaf: Leaf
beforeAll(async () => {
  fleet = await createFleet()
  server = await fleet.issueServer()
  leaf = await fleet.issue()
})

function listen(clientCertificate: 'required' | 'optional', trust = fleet.trust): TlsOptions {
  const options = serverTlsOptions({ identity: server, trust, mode: 'compatible', clientCertificate })
  return { ...options, ticketKeys }
}

describe.each<SecureVersion>(['TLSv1.2', 'TLSv1.3'])('a resumed session over %s', (version) => {
  function dial(identity: Pick<Leaf, 'key' | 'cert'> = leaf) {
    const options = clientTlsOptions({ trust: fleet.trust, mode: 'compatible', identity })
    return { ...options, minVersion: version, maxVersion: version }
  }

  /** Connects, then again with the ticket to a second server; gives what was seen of the second connection. */
  async function resume<T>(
    first: TlsOptions,
    second: TlsOptions,
    look: (socket: TLSSocket) => T,
    client = dial(),
  ) {
    const { session } = await handshake(first, client)
    if (session === undefined) throw new Error('the server gave no ticket')
    return handshake(second, { ...client, session }, look)
  }

  test('has the identity of the full one, and says that it was resumed', async () => {
    const required = listen('required')
    const { seen } = await resume(required, required, (socket) => peerIdentity(socket, fleet.peerTrust()))
    const tlsVersion = version
    expect(seen).toMatchObject({ kind: 'identity', id: 'dev-1', resumed: true, tlsVersion })
    expect(seen).toMatchObject({
      group: 'X25519MLKEM768'.slice(0, version === 'TLSv1.3' ? 14 : 0) || 'x25519',
    })
  })

  test('with a certificate that has expired since is refused, though OpenSSL calls it authorized', async () => {
    const later = new Date(leaf.certificate.notAfter.getTime() + 1_000)
    const { seen } = await resume(listen('required'), listen('required'), (socket) => ({
      authorized: socket.authorized,
      resumed: socket.isSessionReused(),
      peer: peerIdentity(socket, fleet.peerTrust(later)),
    }))
    expect(seen).toMatchObject({
      authorized: true,
      resumed: true,
      peer: { kind: 'refused', code: 'certificate-expired' },
    })
  })

  test('that began with a refused certificate is refused again', async () => {
    const forged = await unusualCertificate(fleet.devices, { forged: true })
    const look = (socket: TLSSocket) => ({
      resumed: socket.isSessionReused(),
      peer: peerIdentity(socket, fleet.peerTrust()),
    })
    const { seen } = await resume(listen('optional'), listen('optional'), look, dial(forged))
    expect(seen).toMatchObject({ resumed: true, peer: { kind: 'refused', code: 'fake-authority' } })
  })

  test.each([
    ['merely expired', {}, 'certificate-expired'],
    ['forged and expired', { forged: true }, 'fake-authority'],
  ])('that began with a certificate that was %s is judged so again', async (_, flaw, code) => {
    const hour = 3_600_000
    const dates = { notBefore: new Date(Date.now() - 2 * hour), notAfter: new Date(Date.now() - hour) }
    const uri = { type: 'uri', value: 'spiffe://fleet.example/device/dev-1' } as const
    const names = { subject: nameOf({ commonName: 'dev-1' }), subjectAltNames: [uri] }
    const late = await unusualCertificate(fleet.devices, { ...names, ...dates, ...flaw })
    // The cheaper judgement, where OpenSSL's word counts for what it is not silent about.
    const judge = { ...fleet.peerTrust(), onlyOwnAnchors: true }
    const look = (socket: TLSSocket) => ({
      resumed: socket.isSessionReused(),
      openSsl: (socket.authorizationError as unknown as string | null) ?? null,
      peer: peerIdentity(socket, judge),
    })
    const { seen } = await resume(listen('optional'), listen('optional'), look, dial(late))
    // OpenSSL reports the last error that it met, which hides the forgery.
    expect(seen).toMatchObject({ resumed: true, openSsl: 'CERT_HAS_EXPIRED', peer: { code } })
  })

  test('is not had at a listener that would have verified in another way', async () => {
    const reused = (socket: TLSSocket) => socket.isSessionReused()
    expect((await resume(listen('optional'), listen('required'), reused)).seen).toBe(false)
    const more = listen('required', [...fleet.trust, ...(await createFleet()).trust])
    expect((await resume(more, listen('required'), reused)).seen).toBe(false)
  })

  test('has in its record the certificate that Node shows', async () => {
    const look = (socket: TLSSocket) => [
      sessionFacts(socket).certificate,
      socket.getPeerX509Certificate()?.raw,
    ]
    const { seen } = await resume(listen('required'), listen('required'), look)
    expect(seen).toEqual([leaf.certificate.der, leaf.certificate.der])
  })
})
