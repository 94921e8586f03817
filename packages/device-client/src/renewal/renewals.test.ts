import { once } from 'node:events'

import { afterEach, describe, expect, it } from 'vitest'

import { enrollDevice } from '../enrollment/enroll-device.ts'
import type { DeviceClientError } from '../error.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import { connectMqtt } from '../mqtt/connect.ts'
import type { DeviceConnection } from '../mqtt/connection.ts'
import { payloads } from '../testing/mqtt-bench.ts'
import { type MqttPeer, startMqttPeer } from '../testing/mqtt-peer.ts'
import { renewalBench } from '../testing/renewal-bench.ts'
import { createRenewals, type KeptIdentity, type Renewals } from './renewals.ts'

const bench = renewalBench()
const open: (() => unknown)[] = []
// No jitter and no wait: what is due is done at once.
const random = () => 0

afterEach(async () => {
  for (const close of open.splice(0).toReversed()) await close()
})

function renewals(options: Parameters<typeof createRenewals>[0] = { random }): Renewals {
  const made = createRenewals(options)
  open.push(async () => made.close())
  return made
}

async function connect(identity: StoredIdentity): Promise<{ peer: MqttPeer; connection: DeviceConnection }> {
  const { trust } = bench.authority
  const peer = await startMqttPeer(bench.authority)
  const connection = await connectMqtt({ url: peer.url, trust, identity, backoff: () => 0 })
  open.push(
    async () => peer.close(),
    async () => connection.close({ timeoutMs: 0 }),
  )
  return { peer, connection }
}

/** Keeps the identity and resolves with the first thing that is said about it. */
async function firstNews(kept: Omit<KeptIdentity, 'est' | 'store'>, made = renewals()) {
  const { est, store } = bench
  return new Promise<{ renewed?: StoredIdentity; failure?: unknown; exhausted?: DeviceClientError }>(
    (resolve) => {
      made.keep({
        est,
        store,
        ...kept,
        onRenewed: (renewed) => resolve({ renewed }),
        onFailure: (failure) => resolve({ failure }),
        onExhausted: (exhausted) => resolve({ exhausted }),
      })
    },
  )
}

describe('an identity that is kept', () => {
  it('is left alone until it is due', async () => {
    const identity = await bench.obtained(10)
    const { est, store } = bench
    const renewal = renewals({ random: () => 0.5 }).keep({ est, store, identity })
    const due = identity.obtainedAt.getTime() + 30 * 86_400_000 * (2 / 3 + 0.05)
    expect(Math.abs((renewal.nextAt?.getTime() ?? 0) - due)).toBeLessThan(2_000)
    await renewal.stop()
    expect(bench.server.log).toEqual([])
  })

  it('is renewed when it is due, and the connection changes to it without losing a message', async () => {
    const identity = await bench.obtained(25)
    const { peer, connection } = await connect(identity)
    const offline: string[] = []
    connection.on('offline', ({ code }) => offline.push(code))
    const published: Promise<void>[] = []
    const timer = setInterval(() => published.push(connection.publish('t', String(published.length))), 1)
    const { renewed } = await firstNews({
      identity,
      probe: async (staged) => connection.replaceIdentity(staged),
    })
    clearInterval(timer)
    await Promise.all(published)
    expect(peer.handshakes.map(({ serial }) => serial)).toEqual([
      identity.certificate.serial,
      renewed?.certificate.serial,
    ])
    expect(await bench.store.load()).toEqual(renewed)
    expect(payloads(peer)).toEqual(published.map((_, at) => String(at)))
    expect(offline).toEqual([])
    // DISCONNECT before CONNECT: no takeover, and no will.
    expect(peer.received.map(({ cmd }) => cmd).filter((cmd) => cmd.endsWith('connect'))).toEqual([
      'connect',
      'disconnect',
      'connect',
    ])
  })

  it('stays in use when the broker refuses the new one, which is asked for again', async () => {
    const identity = await bench.obtained(25)
    const { peer, connection } = await connect(identity)
    const news: string[] = []
    const { est, store } = bench
    const renewed = Promise.withResolvers<StoredIdentity>()
    const serials = () => peer.handshakes.map(({ serial }) => serial)
    renewals().keep({
      est,
      store,
      identity,
      probe: async (staged) => {
        // Refused once; the old one that comes after it is taken.
        peer.script.connack = news.length === 0 ? 5 : 0
        void peer.until(() => peer.connects().length === 2).then(() => (peer.script.connack = 0))
        await connection.replaceIdentity(staged)
      },
      onFailure: (error) => news.push((error as DeviceClientError).code),
      onRenewed: renewed.resolve,
    })
    const { certificate } = await renewed.promise
    expect(news).toEqual(['connect-refused'])
    const [old, refused, again, last] = serials()
    expect([old, again]).toEqual([identity.certificate.serial, identity.certificate.serial])
    expect(last).toBe(certificate.serial)
    expect(refused).not.toBe(last)
  })

  it('is tried again, with all that went wrong told, until it works', async () => {
    const identity = await bench.obtained(25)
    bench.refuseNext(503, 'busy')
    bench.refuseNext(403, 'device is suspended')
    const { est, store } = bench
    const failures: string[] = []
    const { promise, resolve } = Promise.withResolvers<StoredIdentity>()
    renewals().keep({
      est,
      store,
      identity,
      onRenewed: resolve,
      onFailure: (error) => failures.push((error as DeviceClientError).code),
    })
    await promise
    expect(failures).toEqual(['server-failed', 'forbidden'])
  })

  it('is exhausted when it has expired and the server refuses to renew it, and nothing is tried any more', async () => {
    const identity = await bench.obtained(31)
    const made = renewals()
    const { exhausted } = await firstNews({ identity }, made)
    expect(exhausted).toMatchObject({ code: 'credentials-exhausted' })
    expect(bench.server.log).toEqual(['simplereenroll 403'])
  })

  it('is renewed after it has expired where the server allows it', async () => {
    const identity = await bench.obtained(31)
    bench.server.grace = true
    const { renewed } = await firstNews({ identity })
    expect(renewed).toEqual(await bench.store.load())
  })

  it('waits for its turn, and no longer than the certificate lives', async () => {
    const identity = await bench.obtained(29.999)
    bench.server.instead.push((_, response) => response.writeHead(503, { 'retry-after': '86400' }).end())
    const made = renewals()
    const { est, store } = bench
    const wait = await new Promise<number>((resolve) => {
      made.keep({ est, store, identity, onFailure: (_, retryInMs) => resolve(retryInMs) })
    })
    expect(wait).toBeLessThanOrEqual(identity.certificate.notAfter.getTime() - Date.now() + 1_000)
  })

  it('is not renewed after it was stopped', async () => {
    const identity = await bench.obtained(25)
    const { est, store } = bench
    const made = renewals()
    let news = 0
    const note = () => (news += 1)
    const probing = Promise.withResolvers<void>()
    const probe = Promise.withResolvers<void>()
    const renewal = made.keep({
      est,
      store,
      identity,
      onRenewed: note,
      onFailure: note,
      probe: async () => {
        probing.resolve()
        await probe.promise
      },
    })
    await probing.promise
    const stopped = renewal.stop()
    probe.resolve()
    await stopped
    expect(news).toBe(0)
    expect(renewal.nextAt).toBeUndefined()
  })
})

describe('renewals of many identities', () => {
  it('are under way only so many at once', async () => {
    const identity = await bench.obtained(25)
    const { est, store } = bench
    const made = renewals({ random, maxAtOnce: 2 })
    let underWay = 0
    let most = 0
    let left = 8
    await new Promise<void>((resolve) => {
      for (let at = 0; at < 8; at += 1) {
        made.keep({
          est,
          store,
          identity,
          probe: async () => {
            underWay += 1
            most = Math.max(most, underWay)
            await new Promise(setImmediate)
            underWay -= 1
          },
          onRenewed: () => {
            left -= 1
            if (left === 0) resolve()
          },
        })
      }
    })
    expect(most).toBeLessThanOrEqual(2)
  })
})

describe('a device that comes back', () => {
  it('connects with an identity that is due and has it renewed while connected', async () => {
    const old = await bench.obtained(25)
    const { est, store } = bench
    const { identity, how } = await enrollDevice({ id: 'dev-1', est, store, whenDue: 'keep' })
    expect({ identity, how }).toEqual({ identity: old, how: 'reused' })
    const { connection } = await connect(identity)
    const { renewed } = await firstNews({
      identity,
      probe: async (staged) => connection.replaceIdentity(staged),
    })
    expect(connection.online).toBe(true)
    expect(renewed?.certificate.serial).not.toBe(old.certificate.serial)
  })

  it('finds that a broker which is gone is no reason to lose the identity that it staged', async () => {
    const identity = await bench.obtained(25)
    const { peer, connection } = await connect(identity)
    const offline = once(connection, 'offline')
    await peer.close()
    await offline
    const { failure } = await firstNews({
      identity,
      probe: async (staged) => connection.replaceIdentity(staged),
    })
    expect(failure).toMatchObject({ code: 'network-failed' })
    expect(await bench.store.load()).toEqual(identity)
    expect(await bench.store.loadStaged()).toBeDefined()
  })
})
