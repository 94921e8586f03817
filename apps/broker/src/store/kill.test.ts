import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { connect } from 'node:tls'
import { type App, ExactPublisher, ExactSubscriber, openServers, type Servers } from '@fleetroot/harness'
import { clientTlsOptions, type KeyAndCertificate } from '@fleetroot/tls-config'
import { afterEach, beforeEach, expect, test } from 'vitest'

const kills = 20
/** Acknowledged messages, at least, between two kills. */
const perLife = 100

let servers: Servers

beforeEach(async () => {
  servers = await openServers('warn')
})
afterEach(() => servers.end())

/** On a free port each time: it finds its store again all the same, because its lives are one after the other. */
const startBroker = (): App =>
  servers.start(
    'broker',
    '--max-queued=65000',
    '--message-rate=1000000',
    '--message-burst=1000000',
    '--connect-burst=1000',
  )

function duplicates(texts: readonly string[]): string[] {
  return texts.filter((text, index) => texts.indexOf(text) !== index)
}

async function until(done: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!done()) {
    if (performance.now() > deadline) throw new Error(`not within a minute: ${what()}`)
    await delay(5)
  }
}

test(
  `a broker that is killed ${kills} times under load loses nothing that it has acknowledged, and delivers at QoS 2 once`,
  { timeout: 600_000 },
  async () => {
    await servers.start('enrollment-server').ready()
    let broker = startBroker()
    let url = new URL(await broker.ready())
    const root = servers.root()
    const publishers = [
      new ExactPublisher('one', 1, 40),
      new ExactPublisher('two', 2, 40),
      new ExactPublisher('three', 2, 5),
    ]
    const ids = ['one', 'two', 'three'] as const
    const certificates = new Map<string, KeyAndCertificate>()
    for (const id of ids) certificates.set(id, await servers.enrolled(id, 'device'))
    for (const id of ['live', 'late']) certificates.set(id, await servers.enrolled(id, 'service'))
    const dialAs = (id: string) => async (): Promise<Duplex> => {
      const identity = certificates.get(id)!
      const tls = clientTlsOptions({ trust: [root], identity, mode: 'compatible' })
      const socket = connect({ ...tls, host: url.hostname, port: Number(url.port) })
      await once(socket, 'secureConnect')
      return socket
    }

    // One subscriber is there all the time, the other one only before and after everything.
    const live = new ExactSubscriber('live')
    const late = new ExactSubscriber('late')
    await new Promise<void>((resolve, reject) => {
      late.connect(dialAs('late'), resolve).then(
        ({ ended }) => ended,
        (error: unknown) => reject(error as Error),
      )
    })

    const acknowledged = (): number => publishers.reduce((sum, each) => sum + each.acknowledged.length, 0)
    const joinAll = async (): Promise<Promise<unknown>> => {
      const { ended } = await live.connect(dialAs('live'))
      return Promise.all([ended, ...publishers.map((each, n) => each.connect(dialAs(ids[n]!)))])
    }
    for (let kill = 0; kill < kills; kill++) {
      const gone = joinAll().then((ended) => ended)
      const before = acknowledged()
      await until(
        () => acknowledged() >= before + perLife,
        () => `${acknowledged() - before} acknowledged\n${broker.output()}`,
      )
      // Anywhere between two steps of what goes on, each time elsewhere.
      await delay((kill * 37) % 100)
      await broker.stop('SIGKILL')
      await gone
      broker = startBroker()
      url = new URL(await broker.ready())
      // One line, at the level that operators have.
      expect(broker.output()).toContain('the broker before was killed')
    }
    const last = joinAll()
    for (const publisher of publishers) publisher.isSending = false
    await until(
      () => publishers.every(({ isDone }) => isDone),
      () => 'acknowledgements',
    )
    await late.connect(dialAs('late'))
    const expected = new Set(publishers.flatMap((each) => each.acknowledged))
    const missing = ({ received }: ExactSubscriber): string[] => {
      const has = new Set(received)
      return [...expected].filter((text) => !has.has(text))
    }
    for (const subscriber of [live, late]) {
      await until(
        () => missing(subscriber).length === 0,
        () => `missing: ${missing(subscriber).slice(0, 5).join(', ')}`,
      )
      expect(duplicates(subscriber.received.filter((text) => !text.startsWith('one ')))).toEqual([])
      expect(subscriber.forgotten).toBe(0)
    }
    expect(expected.size).toBeGreaterThanOrEqual(kills * perLife)
    expect(await broker.stop()).toEqual({ status: 0, signal: null })
    await last.catch(() => undefined)
  },
)
