import { connect } from 'node:tls'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { freePort, type Transport, transports } from '@fleetroot/harness'
import { clientTlsOptions } from '@fleetroot/tls-config'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import type { Client } from './client.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

/** As the broker counts them, to tell workers apart by the numbers of their sessions. */
const maxWorkers = 64

const policy = `version: 1
roles:
  device: { clientIds: ['\${id}'], publish: ['devices/\${id}/#'], subscribe: ['devices/\${id}/#'] }
  service: { clientIds: any, publish: ['devices/#'], retain: ['devices/#'], subscribe: ['devices/#', 'fleet/#'] }
`

interface SessionView {
  readonly number: number
  readonly clientId: string
}

judgedBy(['redis-server'], 'two nodes with two workers each', () => {
  let nodes: Nodes
  let one: Node
  let two: Node
  /** The same nodes, by the way over WSS. */
  const webSockets = new Map<Node, Node>()
  const over = (transport: Transport, node: Node): Node =>
    transport === 'mqtts' ? node : webSockets.get(node)!

  beforeAll(async () => {
    nodes = await startNodes(0)
    nodes.setPolicy(policy)
    const start = async (): Promise<Node> => {
      const wssPort = await freePort()
      const node = await nodes.start({
        args: ['--workers=2', '--max-connections=24', `--wss-port=${wssPort}`],
        env: { FLEETROOT_BROKER_TICKET_SECRET: 'a secret that both nodes know and Redis does not' },
      })
      webSockets.set(node, { ...node, url: new URL(`wss://127.0.0.1:${wssPort}/mqtt`) })
      return node
    }
    ;[one, two] = await Promise.all([start(), start()])
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  const sessions = async (node: Node, query = ''): Promise<SessionView[]> =>
    (JSON.parse(await node.operations(`/v1/sessions?limit=1000${query}`)) as { items: SessionView[] }).items
  const workerOf = ({ number }: SessionView): number => number % maxWorkers
  const metric = async (node: Node, name: string): Promise<number> => {
    const text = await node.operations('/metrics')
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name} `) || line.startsWith(`${name}{`))
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  /** The worker that has the session with this client id. */
  const workerWith = async (node: Node, id: string, clientId: string): Promise<number> =>
    workerOf((await sessions(node, `&id=${id}`)).find((session) => session.clientId === clientId)!)

  /** Connects one service with many client ids, until each worker of both nodes has one over each of these transports. */
  async function spread(id: string, ways: readonly Transport[] = ['mqtts']): Promise<Client[]> {
    const clients: Client[] = []
    for (const node of [one, two]) {
      for (const transport of ways) {
        const reached = new Set<number>()
        while (reached.size < 2) {
          const clientId = `${id}-${clients.length}`
          clients.push(await nodes.client(over(transport, node), id, { profile: 'service', clientId }))
          reached.add(await workerWith(node, id, clientId))
        }
      }
    }
    return clients
  }

  /** Answers with the status. */
  const revoke = async (id: string): Promise<number> => {
    const wanted = { deviceIds: [id], reason: 'keyCompromise' }
    return (await nodes.admin.call('POST', '/v1/certificates/revocations', wanted)).status
  }

  const closed = (clients: readonly Client[]): Promise<unknown> =>
    Promise.all(clients.map((client) => client.closed))

  test('are ready when all workers are, and say so once', async () => {
    for (const node of [one, two]) {
      expect(await node.operations('/readyz')).toBe('{"status":"ready"}')
      expect(await metric(node, 'fleetroot_broker_workers')).toBe(2)
      expect(node.app.output().match(/^broker: listening on/gm)).toHaveLength(1)
    }
  })

  test('show the metrics of docs/operations.md', async () => {
    const text = await one.operations('/metrics')
    const shown = [...text.matchAll(/^# TYPE (fleetroot_broker_worker\w*) /gm)].map(([, name]) => name!)
    const document = readFileSync(new URL('../../../../docs/operations.md', import.meta.url), 'utf8')
    const table = [...document.matchAll(/^\| `(fleetroot_broker_worker\w*)`/gm)].map(([, name]) => name!)
    expect(table.toSorted()).toEqual(shown.toSorted())
  })

  test('are one broker: for messages, retained ones, takeover, and the operator', async () => {
    const clients = await spread('all')
    const admitted =
      (await metric(one, 'fleetroot_broker_admitted_total')) +
      (await metric(two, 'fleetroot_broker_admitted_total'))
    expect(admitted).toBeGreaterThanOrEqual(clients.length)
    for (const client of clients) await client.subscribe('devices/x/#')
    await clients[0]!.publish('devices/x/t', 'hello')
    await Promise.all(clients.map((client) => client.until(() => client.texts().includes('hello'))))

    const listed = [...(await sessions(one, '&id=all')), ...(await sessions(two, '&id=all'))]
    expect(new Set(listed.map(({ clientId }) => clientId)).size).toBe(clients.length)
    const paged: number[] = []
    for (let after: number | undefined = 0; after !== undefined;) {
      const page = JSON.parse(await one.operations(`/v1/sessions?limit=1&after=${after}`)) as {
        items: SessionView[]
        next?: number
      }
      paged.push(...page.items.map(({ number }) => number))
      after = page.next
    }
    expect(paged).toEqual((await sessions(one)).map(({ number }) => number))
    expect(await one.operations('/v1/sessions/service/nobody')).toContain('session-not-found')

    // The same client id again and again, wherever the kernel sends it: there is never more than one.
    let last = await nodes.client(one, 'roamer', { profile: 'service' })
    for (let n = 0; n < 8; n += 1) {
      const next = await nodes.client(n % 2 === 0 ? two : one, 'roamer', { profile: 'service' })
      await last.closed
      last = next
    }
    const roaming = [...(await sessions(one, '&id=roamer')), ...(await sessions(two, '&id=roamer'))]
    expect(roaming).toHaveLength(1)
    await last.leave()

    await one.disconnect('service', 'all')
    await two.disconnect('service', 'all')
    await closed(clients)
  })

  test('keep for everybody what any of them has acknowledged: retained, queued, and who is online', async () => {
    const away = await nodes.client(one, 'away', { profile: 'service', clean: false })
    await away.subscribe('devices/meter/#')
    await away.leave()
    const clients = await spread('watcher')
    for (const client of clients) await client.subscribe('fleet/presence/meter')
    const meter = await nodes.client(two, 'meter')
    const isOnline = (client: Client): boolean =>
      client.texts('fleet/presence/meter').some((text) => text.includes('"online":true'))
    await Promise.all(clients.map((client) => client.until(() => isOnline(client))))

    for (let n = 0; n < 20; n += 1) await meter.publish('devices/meter/queued', `${n}`)
    await meter.publish('devices/meter/kept', 'kept', { retain: true })
    for (const client of clients) await client.subscribe('devices/meter/kept')
    await Promise.all(
      clients.map((client) => client.until(() => client.texts('devices/meter/kept').includes('kept'))),
    )
    const back = await nodes.client(two, 'away', { profile: 'service', clean: false })
    expect(back.connack.sessionPresent).toBe(true)
    await back.until(() => back.messages.length === 21)
    expect(back.texts('devices/meter/queued')).toEqual(Array.from({ length: 20 }, (_, n) => `${n}`))

    await meter.leave()
    const isOffline = (client: Client): boolean =>
      client.texts('fleet/presence/meter').at(-1)?.includes('"online":false') === true
    await Promise.all(clients.map((client) => client.until(() => isOffline(client))))
    for (const client of [...clients, back]) await client.leave()
  })

  test('put a policy in force in every worker before a reload is answered', async () => {
    const clients = await spread('tight')
    const denied = async (): Promise<number> =>
      (await metric(one, 'fleetroot_broker_denied_total')) +
      (await metric(two, 'fleetroot_broker_denied_total'))
    const before = await denied()
    nodes.setPolicy(policy.replace("publish: ['devices/#']", 'publish: []'))
    for (const node of [one, two])
      expect(await node.operations('/v1/policy/reload', 'POST')).toContain('inForce')
    for (const client of clients) await client.publish('devices/x/t', 'too late')
    expect(await denied()).toBe(before + clients.length)
    nodes.setPolicy(policy)
    for (const node of [one, two]) node.app.signal('SIGHUP')
    const isAllowed = async (): Promise<boolean> => {
      const seen = await denied()
      for (const client of clients) await client.publish('devices/x/t', 'again')
      return (await denied()) === seen
    }
    await until(isAllowed, () => one.app.output())
    for (const client of clients) await client.leave()
  })

  test('hand a session over between MQTTS and WSS, whichever workers have it', async () => {
    const meter = await nodes.client(two, 'pulse')
    let last = await nodes.client(one, 'hopper', { profile: 'service', clean: false })
    await last.subscribe('devices/pulse/#')
    let worker = await workerWith(one, 'hopper', 'hopper')
    const changed = new Set<Transport>()
    for (let n = 1; changed.size < 2; n += 1) {
      const transport = transports[n % 2]!
      const next = await nodes.client(over(transport, one), 'hopper', { profile: 'service', clean: false })
      expect(next.connack).toMatchObject({ returnCode: 0, sessionPresent: true })
      await last.closed
      await meter.publish('devices/pulse/t', `${n}`)
      await next.until(() => next.texts().includes(`${n}`))
      expect((await sessions(one, '&id=hopper')).length + (await sessions(two, '&id=hopper')).length).toBe(1)
      const at = await workerWith(one, 'hopper', 'hopper')
      if (at !== worker) changed.add(transport)
      worker = at
      last = next
    }
    for (const client of [meter, last]) await client.leave()
  })

  test('close the sessions of a revoked certificate in every worker, MQTTS and WSS, within a second', async () => {
    const clients = await spread('traitor', transports)
    const faithful = await spread('faithful', transports)
    const began = performance.now()
    expect(await revoke('traitor')).toBe(200)
    await closed(clients)
    expect(performance.now() - began).toBeLessThan(1_000)
    for (const client of faithful) {
      expect(client.isClosed).toBe(false)
      await client.leave()
    }
    for (const transport of transports) {
      const again = nodes.client(over(transport, two), 'traitor', { profile: 'service' }).then(
        () => 'admitted',
        () => 'refused',
      )
      expect(await again).toBe('refused')
    }
  })

  test('hold an identity to its connections on all of them together', async () => {
    const clients: Client[] = []
    for (let n = 0; n < 24; n += 1) {
      const node = n % 2 === 0 ? one : two
      clients.push(await nodes.client(node, 'greedy', { profile: 'service', clientId: `greedy-${n}` }))
    }
    expect(clients.map(({ connack }) => connack.returnCode)).toEqual(clients.map(() => 0))
    for (const node of [one, two]) {
      const more = await nodes.client(node, 'greedy', { profile: 'service', clientId: 'one-more' })
      expect(more.connack.returnCode).toBe(3)
      await more.closed
    }
    await clients.pop()!.leave()
    const again = async (): Promise<boolean> => {
      const client = await nodes.client(two, 'greedy', { profile: 'service', clientId: 'instead' })
      if (client.connack.returnCode === 0) clients.push(client)
      return client.connack.returnCode === 0
    }
    await until(again, () => 'no connection after another one left')
    for (const client of clients) await client.leave()
  })

  describe('with a TLS session of another worker', () => {
    /** Makes a TLS connection, and says which worker has it and whether the session was resumed. */
    async function handshake(node: Node, id: string, session?: Buffer) {
      const tls = clientTlsOptions({
        trust: [nodes.root],
        identity: await nodes.identity(id, 'service'),
        mode: 'compatible',
      })
      const known = new Set((await sessions(node, `&id=${id}`)).map(({ number }) => number))
      const socket = connect({
        ...tls,
        host: node.url.hostname,
        port: Number(node.url.port),
        ...(session === undefined ? {} : { session }),
      })
      socket.on('error', () => undefined)
      socket.resume()
      const given = once(socket, 'session') as Promise<[Buffer]>
      await once(socket, 'secureConnect')
      // A server that has resumed a session need not give another ticket.
      const [ticket] = session === undefined ? await given : [session]
      let worker: number | undefined
      await until(
        async () => {
          const view = (await sessions(node, `&id=${id}`)).find(({ number }) => !known.has(number))
          worker = view && workerOf(view)
          return worker !== undefined
        },
        () => 'the session is on no worker',
      )
      const resumed = socket.isSessionReused()
      socket.destroy()
      return { ticket, resumed, at: `${node === one ? 'one' : 'two'} ${worker}` }
    }

    /** A ticket of one node that the other one takes. */
    async function commonTicket(): Promise<Buffer> {
      let ticket: Buffer | undefined
      await until(
        async () => {
          ticket = (await handshake(one, 'resumer')).ticket
          return (await handshake(two, 'resumer', ticket)).resumed
        },
        () => 'the nodes do not have the same keys',
      )
      return ticket!
    }

    test('resume it, until a certificate is revoked, whoever’s it is', async () => {
      await nodes.identity('bystander')
      const ticket = await commonTicket()
      const resumedAt = new Set<string>()
      while (resumedAt.size < 4) {
        for (const node of [one, two]) {
          const { resumed, at } = await handshake(node, 'resumer', ticket)
          expect(resumed).toBe(true)
          resumedAt.add(at)
        }
      }

      await revoke('bystander')
      const revokedMs = performance.now()
      const stillResumed: number[] = []
      const fullAt = new Set<string>()
      while (fullAt.size < 4) {
        for (const node of [one, two]) {
          const askedMs = performance.now() - revokedMs
          const { resumed, at } = await handshake(node, 'resumer', ticket)
          if (resumed) stillResumed.push(askedMs)
          else fullAt.add(at)
        }
      }
      expect(Math.max(0, ...stillResumed)).toBeLessThan(1_000)
      const keys = await nodes.redis.ask('HGETALL', 'fleetroot:tickets')
      expect(keys).toContain('nonce')
      for (const node of [one, two]) expect(node.app.output()).not.toMatch(/ticket-?keys?"/i)
    })

    test('while Redis is away each node has keys of its own and changes them; when it is back none of before is good', async () => {
      await nodes.identity('onlooker')
      const isTaken = async (node: Node, ticket: Buffer): Promise<boolean> =>
        (await handshake(node, 'resumer', ticket)).resumed
      const common = await commonTicket()
      const nonce = await nodes.redis.ask('HGET', 'fleetroot:tickets', 'nonce')
      nodes.redis.freeze()
      await until(
        async () => !(await isTaken(one, common)) && !(await isTaken(two, common)),
        () => 'keys that the nodes shared are still in use',
      )
      const { ticket: own } = await handshake(one, 'resumer')
      const takenAt = new Set<string>()
      while (takenAt.size < 2) {
        const again = await handshake(one, 'resumer', own)
        expect(again.resumed).toBe(true)
        takenAt.add(again.at)
      }
      expect(await isTaken(two, own)).toBe(false)
      await revoke('onlooker')
      await until(
        async () => !(await isTaken(one, own)),
        () => 'keys do not change without Redis',
      )

      nodes.redis.thaw()
      await commonTicket()
      expect(await nodes.redis.ask('HGET', 'fleetroot:tickets', 'nonce')).not.toBe(nonce)
      for (const node of [one, two]) {
        for (const ticket of [common, own]) expect(await isTaken(node, ticket)).toBe(false)
      }
    })
  })

  test('say which worker can keep nothing while Redis is away, and are ready again when it is back', async () => {
    await nodes.redis.kill()
    const says = async (...words: string[]): Promise<boolean> => {
      const pages = await Promise.all([one, two].map((node) => node.operations('/readyz')))
      return pages.every((page) => words.every((word) => page.includes(word)))
    }
    await until(
      () => says('"worker 1 store":"', '"worker 2 store":"'),
      () => one.app.output(),
    )
    await nodes.redis.start()
    await until(
      () => says('{"status":"ready"}'),
      () => one.app.output(),
    )
    expect(await metric(one, 'fleetroot_broker_workers')).toBe(2)
  })
})
