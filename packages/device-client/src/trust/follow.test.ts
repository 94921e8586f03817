import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'

import { enrollDevice } from '../enrollment/enroll-device.ts'
import { createEstClient, type EstClient } from '../est/client.ts'
import { servingChain } from '../identity/chain.ts'
import { type IdentityStore, openIdentityStore } from '../identity/store.ts'
import { connectMqtt } from '../mqtt/connect.ts'
import type { DeviceConnection } from '../mqtt/connection.ts'
import { renewIdentity } from '../renewal/renew-identity.ts'
import { createRenewals } from '../renewal/renewals.ts'
import { type Authority, createAuthority } from '../testing/authority.ts'
import { type EstResponder, startEstResponder } from '../testing/est-responder.ts'
import { type MqttPeer, startMqttPeer } from '../testing/mqtt-peer.ts'
import { type Rollover, rollOver } from '../testing/rollover.ts'
import { openTrustAnchors } from './anchor-file.ts'
import type { TrustAnchors } from './anchors.ts'

let old: Authority
let rollover: Rollover
let directory: string
let server: EstResponder
let peer: MqttPeer
let anchors: TrustAnchors
let est: EstClient
let store: IdentityStore
let connection: DeviceConnection | undefined

beforeAll(async () => {
  old = await createAuthority()
  rollover = await rollOver(old)
})

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'device-client-follow-'))
  server = await startEstResponder(old)
  peer = await startMqttPeer(old)
  server.addToken('dev-1', 'token-1')
  anchors = await openAnchors()
  est = createEstClient({ url: server.url, trust: anchors })
  store = openIdentityStore(directory)
})

afterEach(async () => {
  await connection?.close({ timeoutMs: 0 })
  connection = undefined
  est.close()
  await peer.close()
  await server.close()
  await rm(directory, { recursive: true })
})

const openAnchors = async (): Promise<TrustAnchors> =>
  openTrustAnchors({ file: join(directory, 'anchors.pem'), pin: old.trust })

/** Both roots are trusted, and the servers show the chain that leads to either. */
async function introduce(): Promise<void> {
  const { next, transition } = rollover
  const trust = transition.map(({ pem }) => pem)
  server.cacerts = transition
  server.setIdentity(await rollover.server(), trust)
  peer.setIdentity(await rollover.server(), trust)
  expect(next.root.pem).not.toBe(old.root.pem)
}

/** The old root is gone; the servers trust and show only what is below the new one. */
async function retire(): Promise<void> {
  const { next } = rollover
  const trust = next.all.map(({ pem }) => pem)
  server.cacerts = next.all
  server.setIdentity(await next.server(), trust)
  peer.setIdentity(await next.server(), trust)
}

const roots = (): string[] => [rollover.next.root.pem, old.root.pem]

/** A new process, which has not asked for anything yet. */
async function restart(): Promise<void> {
  est.close()
  anchors = await openAnchors()
  est = createEstClient({ url: server.url, trust: anchors })
}

const enroll = async () => enrollDevice({ id: 'dev-1', est, store, credential: { token: 'token-1' } })

async function connect(): Promise<DeviceConnection> {
  const stored = await store.load()
  if (!stored) throw new Error('nothing stored')
  connection = await connectMqtt({
    url: peer.url,
    trust: anchors,
    identity: stored,
    backoff: () => 0,
    refreshTrust: async () => est.refreshTrust(),
  })
  return connection
}

describe('a device', () => {
  it('learns the new root before it renews, and its next certificate has the new chain', async () => {
    await enroll()
    await introduce()
    await restart()
    const renewed = await renewIdentity({ est, store })
    expect(anchors.pem).toEqual(roots())
    expect(renewed.chain.map(({ pem }) => pem)).toEqual([rollover.next.devices.certificate.pem])
  })

  it('that holds the old root alone follows the servers to the new one, and renews after the old is gone', async () => {
    await enroll()
    await introduce()
    await connect()
    await est.refreshTrust()
    await retire()
    const online = new Promise((resolve) => connection?.once('online', resolve))
    peer.drop()
    await online
    expect((await est.refreshTrust()).dropped).toMatchObject([{ pem: old.root.pem }])
    const renewed = await renewIdentity({
      est,
      store,
      probe: async (staged) => connection?.replaceIdentity(staged),
    })
    expect(anchors.pem).toEqual(rollover.next.trust)
    await connection?.publish('devices/dev-1/state', 'there')
    expect((await store.load())?.cert).toBe(renewed.cert)
  })

  it('restarts with what it learned, though the chain beside its certificate leads to a root that is gone', async () => {
    const { identity } = await enroll()
    await introduce()
    await est.refreshTrust()
    await retire()
    await est.refreshTrust()
    await restart()
    const again = await enrollDevice({ id: 'dev-1', est, store })
    expect(again.how).toBe('reused')
    expect(again.identity.certificate.serial).toBe(identity.certificate.serial)
    expect(again.identity.chain).toMatchObject([{ pem: rollover.next.devices.certificate.pem }])
  })

  it('finds a broker below a root that it does not know yet by asking a server that it can prove', async () => {
    await enroll()
    server.cacerts = rollover.transition
    // A broker that forgot to show how the new root follows from the old.
    const trust = rollover.transition.map(({ pem }) => pem)
    peer.setIdentity(await rollover.next.server(), trust)
    await connect()
    expect(connection?.online).toBe(true)
    expect(anchors.pem).toEqual(roots())
  })

  it('does not ask a server that leads to no anchor that it holds, and stays out', async () => {
    await enroll()
    await retire()
    await expect(connect()).rejects.toMatchObject({ code: 'tls-failed', tlsCode: 'unknown-authority' })
    expect(anchors.pem).toEqual(old.trust)
  })

  it('that is cut off looks for the new root itself, on its way to be online again', async () => {
    await enroll()
    await connect()
    const offline = new Promise((resolve) => connection?.once('offline', resolve))
    server.cacerts = rollover.transition
    peer.setIdentity(
      await rollover.next.server(),
      rollover.transition.map(({ pem }) => pem),
    )
    const online = new Promise((resolve) => connection?.once('online', resolve))
    peer.drop()
    await offline
    await online
    expect(anchors.pem).toEqual(roots())
  })
})

describe('renewals', () => {
  it('look for new roots soon after a device came, and ever after, though its certificate is not due', async () => {
    const { identity } = await enroll()
    await introduce()
    await restart()
    let now = Date.now()
    const due: { at: number; run: () => void }[] = []
    const renewals = createRenewals({
      random: () => 0.5,
      clock: {
        now: () => now,
        after(delayMs, run) {
          const entry = { at: now + delayMs, run }
          due.push(entry)
          return () => due.splice(due.indexOf(entry), 1)
        },
      },
    })
    const learned = Promise.withResolvers<unknown>()
    const gone = Promise.withResolvers<unknown>()
    renewals.keep({
      est,
      store,
      identity,
      onTrustChanged: (change) => (change.added.length > 0 ? learned : gone).resolve(change),
    })
    const advance = (ms: number) => {
      now += ms
      for (const entry of due.splice(0)) entry.run()
    }
    advance(60_000)
    await expect(learned.promise).resolves.toMatchObject({ added: [{ pem: rollover.next.root.pem }] })
    await retire()
    const days = setInterval(() => advance(3_600_000), 50)
    await expect(gone.promise).resolves.toMatchObject({ dropped: [{ pem: old.root.pem }] })
    clearInterval(days)
    expect(await store.load()).toMatchObject({ id: 'dev-1' })
    await renewals.close()
  })
})

describe('what a server shows', () => {
  it('while both roots are trusted leads to either, and to the one alone before and after', async () => {
    const { certificate } = await old.server()
    const { next, transition, newWithOld } = rollover
    const now = new Date()
    const shown = (issuers: Authority['all'], trust: Authority['all']) =>
      servingChain(certificate, { issuers, trust, now })
    expect(shown(old.all, [old.root])).toEqual([old.services.certificate])
    expect(shown(transition, [next.root, old.root])).toEqual([next.services.certificate, newWithOld])
    expect(shown(next.all, [next.root])).toEqual([next.services.certificate])
  })
})
