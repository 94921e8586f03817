import { type Certificate, createCrossCertificate, newSerial } from '@fleetroot/pki'
import type { Issuer } from '@fleetroot/pki'
import { makeRoot } from '@fleetroot/pki/testing'
import { beforeAll, describe, expect, test } from 'vitest'
import { peerIdentity } from '../peer/identity.ts'
import { createFleet } from '../testing/fleet.ts'
import type { Fleet } from '../testing/fleet.ts'
import { handshake } from '../testing/handshake.ts'
import { clientTlsOptions } from './client.ts'
import { serverTlsOptions } from './server.ts'

let fleet: Fleet
let next: Issuer
let newWithOld: Certificate
/** The issuing CAs as the next root certified them. */
let services: Certificate
let devices: Certificate
beforeAll(async () => {
  fleet = await createFleet()
  next = await makeRoot({ commonName: 'Fleetroot Root', now: new Date(Date.now() - 86_400_000) })
  const certify = (issuer: Issuer, subject: Certificate): Promise<Certificate> =>
    createCrossCertificate({ issuer, subject, serial: newSerial(), now: new Date() })
  newWithOld = await certify(fleet.root, next.certificate)
  services = await certify(next, fleet.services.certificate)
  devices = await certify(next, fleet.devices.certificate)
})

/** Mutual TLS between a server below the next root and a client, each with its own anchors; both errors, if any. */
async function meet(clientTrust: Certificate[], serverTrust: Certificate[], clientChain: Certificate[]) {
  const [server, client] = [await fleet.issueServer(), await fleet.issue({ id: 'pump-7' })]
  const chained = (leaf: typeof server, ...chain: Certificate[]) => ({
    key: leaf.key,
    cert: [leaf.certificate, ...chain].map(({ pem }) => pem).join(''),
  })
  const pems = (certificates: Certificate[]) => certificates.map(({ pem }) => pem)
  return handshake(
    serverTlsOptions({
      identity: chained(server, services, newWithOld),
      trust: pems(serverTrust),
      mode: 'compatible',
      clientCertificate: 'required',
    }),
    clientTlsOptions({
      trust: pems(clientTrust),
      identity: chained(client, ...clientChain),
      mode: 'compatible',
    }),
    (socket) => peerIdentity(socket, fleet.peerTrust()),
  )
}

describe('leaf, issuing CA, cross certificate and root', () => {
  test.each([
    ['old root alone', () => fleet.root.certificate],
    ['new root alone', () => next.certificate],
  ])('verify for a client that holds the %s', async (_, anchor) => {
    const met = await meet([anchor()], [next.certificate, devices], [devices])
    expect(met).toMatchObject({ client: undefined, server: undefined, seen: { id: 'pump-7' } })
  })

  test('verify for a server that holds the old root alone, where the client sends all three', async () => {
    const met = await meet([next.certificate], [fleet.root.certificate], [devices, newWithOld])
    expect(met).toMatchObject({ server: undefined, seen: { kind: 'identity', id: 'pump-7' } })
  })

  test('verify for a server that has the issuing CA below the next root, where the client sends the chain to the last', async () => {
    const met = await meet([next.certificate], [next.certificate, devices], [fleet.devices.certificate])
    expect(met).toMatchObject({ server: undefined, seen: { kind: 'identity', id: 'pump-7' } })
  })

  test('do not verify where nothing certifies the next root', async () => {
    const met = await meet([next.certificate], [fleet.root.certificate], [devices])
    expect(met.server?.code).toBe('unknown-authority')
  })
})
