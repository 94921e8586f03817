import { ExactPublisher, ExactSubscriber, freePort } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import type { Client } from './client.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

const rate = 40
const burst = 80

judgedBy(['redis-server'], 'a node with several workers', () => {
  let nodes: Nodes
  let port: number
  let node: Node

  beforeAll(async () => {
    nodes = await startNodes(0)
    port = await freePort()
    const limits = [`--message-rate=${rate}`, `--message-burst=${burst}`]
    node = await nodes.start({ args: ['--workers=4', `--port=${port}`, ...limits] })
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  /** The processes of its workers, by number, those that are gone included. */
  const workersOf = ({ app }: Node): { number: number; pid: number }[] =>
    [...app.output().matchAll(/"worker":(\d+),"workerPid":(\d+),"msg":"worker started"/g)].map(
      ([, number, pid]) => ({ number: Number(number), pid: Number(pid) }),
    )
  const isAlive = (pid: number): boolean => {
    try {
      return process.kill(pid, 0)
    } catch {
      return false
    }
  }
  const areGone = (of: Node): boolean => workersOf(of).every(({ pid }) => !isAlive(pid))
  const isReady = async (of: Node): Promise<boolean> =>
    (await of.operations('/readyz')) === '{"status":"ready"}'

  test('holds an identity to its rate over all workers together', async () => {
    nodes.setPolicy(`version: 1
roles:
  service: { clientIds: any, publish: ['devices/#'], subscribe: ['devices/#'] }
  device: { clientIds: ['\${id}'], publish: ['devices/#'], subscribe: ['devices/#'] }
`)
    await node.operations('/v1/policy/reload', 'POST')
    const clients: Client[] = []
    while (clients.length < 12) {
      const clientId = `loud-${clients.length}`
      clients.push(await nodes.client(node, 'loud', { profile: 'service', clientId }))
    }
    const began = performance.now()
    const endMs = began + 5_000
    let published = 0
    await Promise.all(
      clients.map(async (client) => {
        while (performance.now() < endMs) {
          await client.publish('devices/x/t', 'x')
          published += 1
        }
      }),
    )
    const seconds = (performance.now() - began) / 1_000
    // At once: the burst, and on each further worker once more what it did not know of yet. Over time: the rate.
    expect(published).toBeLessThan(4 * burst + 1.25 * rate * seconds)
    // Without a common bucket it would be four times as many.
    expect(4 * burst + 1.25 * rate * seconds).toBeLessThan(4 * (burst + rate * seconds) * 0.6)
    await Promise.all(clients.map((client) => client.leave('abruptly')))
  })

  test('starts a worker again that is killed, and its clients lose nothing', async () => {
    const dial = await nodes.dial('exact', 'device', () => node)
    const dialSubscriber = await nodes.dial('ledger', 'service', () => node)
    const publisher = new ExactPublisher('exact', 1, 10)
    const subscriber = new ExactSubscriber('ledger')
    const load = { isOver: false }
    const stay = async (connect: () => Promise<unknown>): Promise<void> => {
      while (!load.isOver) await connect().catch(() => undefined)
    }
    const granted = Promise.withResolvers<void>()
    let leave: () => void = () => undefined
    const staying = [
      stay(async () => {
        const connected = await subscriber.connect(dialSubscriber, granted.resolve)
        leave = connected.leave
        await connected.ended
      }),
    ]
    await granted.promise
    staying.push(stay(() => publisher.connect(dial)))
    const progress = async (): Promise<void> => {
      const before = publisher.acknowledged.length
      await until(
        () => publisher.acknowledged.length > before + 50,
        () => node.app.output(),
      )
    }
    await progress()
    const admitted = async (): Promise<number> =>
      Number(/^fleetroot_broker_admitted_total (\d+)$/m.exec(await node.operations('/metrics'))?.[1])
    const admittedBefore = await admitted()
    /** The worker that has the session of this client now. */
    const workerOf = async (id: string): Promise<number> => {
      const { items } = JSON.parse(await node.operations(`/v1/sessions?id=${id}`)) as {
        items: { number: number }[]
      }
      return (items.at(-1)?.number ?? 0) % 64
    }
    for (const id of ['exact', 'ledger']) {
      let number = 0
      await until(
        async () => (number = await workerOf(id)) > 0,
        () => `${id} is not connected`,
      )
      const { pid } = workersOf(node).findLast((worker) => worker.number === number)!
      const from = node.app.output().length
      process.kill(pid, 'SIGKILL')
      const ended = `worker ${number} ended by SIGKILL and is started again`
      await node.app.waitFor(new RegExp(ended), from)
      expect(await node.operations('/readyz')).toContain(`"worker ${number}":"`)
      await until(
        () => isReady(node),
        () => node.app.output(),
      )
      await progress()
    }
    publisher.isSending = false
    await until(
      () => publisher.isDone,
      () => 'not all is acknowledged',
    )
    await until(
      () => publisher.acknowledged.every((text) => subscriber.received.includes(text)),
      () => `${publisher.acknowledged.length} acknowledged, ${subscriber.received.length} received`,
    )
    expect(subscriber.forgotten).toBe(0)
    load.isOver = true
    leave()
    expect(await node.operations('/metrics')).toContain('fleetroot_broker_worker_restarts_total 2')
    // What those had counted that are gone is still counted.
    expect(await admitted()).toBeGreaterThan(admittedBefore)
  })

  test('leaves no worker and no port behind when it is killed', async () => {
    await node.app.stop('SIGKILL')
    await until(
      () => areGone(node),
      () => 'workers live on',
    )
    node = await nodes.start({ args: ['--workers=2', `--port=${port}`] })
    expect(node.url.port).toBe(String(port))
  })

  test('has its ports for itself', async () => {
    const other = nodes.start({ args: ['--workers=2', `--port=${port}`] })
    await expect(other).rejects.toThrow(/another program has that port/)
  })

  test('starts a worker again that hangs', async () => {
    const from = node.app.output().length
    const { number, pid } = workersOf(node).findLast((worker) => worker.number === 1)!
    process.kill(pid, 'SIGSTOP')
    await until(
      async () => (await node.operations('/readyz')).includes(`"worker ${number}":"does not answer"`),
      () => 'a worker that hangs is ready',
    )
    expect(await node.operations('/v1/sessions')).toContain('worker-silent')
    await node.app.waitFor(new RegExp(`worker ${number} ended by SIGKILL and is started again`), from)
    await until(
      () => isReady(node),
      () => node.app.output(),
    )
  })

  test('that cannot serve says why, once', async () => {
    const mute = nodes.start({ args: ['--workers=2', '--redis=redis://127.0.0.1:1', '--wait=1s'] })
    const why = await mute.then(
      () => 'it serves',
      (error: Error) => error.message,
    )
    const sentences = why.match(/^broker: (?!waiting).*$/gm)
    expect(sentences).toHaveLength(1)
    expect(sentences![0]).toMatch(/no connection to Redis at redis:\/\/127\.0\.0\.1:1.*waited 1s/)
  })

  test('drains all workers at SIGTERM, and ends at once at a second one', async () => {
    const client = await nodes.client(node, 'last')
    expect(await node.app.stop()).toEqual({ status: 0, signal: null })
    await client.closed
    expect(areGone(node)).toBe(true)

    node = await nodes.start({ args: ['--workers=2', `--port=${port}`] })
    // A worker that cannot drain: it stands still.
    const { pid } = workersOf(node).findLast((worker) => worker.number === 1)!
    process.kill(pid, 'SIGSTOP')
    node.app.signal('SIGTERM')
    await node.app.waitFor(/stopping: SIGTERM/)
    node.app.signal('SIGTERM')
    await until(
      () => !isAlive(node.app.pid),
      () => 'it waits for its worker',
    )
    process.kill(pid, 'SIGCONT')
    expect((await node.app.exited).status).toBe(1)
    await until(
      () => areGone(node),
      () => 'workers live on',
    )
  })

  test('gives up when a worker ends at once, again and again', async () => {
    node = await nodes.start({ args: ['--workers=2', `--port=${port}`] })
    let isOver = false
    const over = node.app.exited.then((exit) => {
      isOver = true
      return exit
    })
    const killed = new Set<number>()
    await until(
      () => {
        for (const { number, pid } of workersOf(node)) {
          if (number !== 1 || killed.has(pid)) continue
          killed.add(pid)
          process.kill(pid, 'SIGKILL')
        }
        return isOver
      },
      () => node.app.output(),
    )
    expect((await over).status).toBe(1)
    expect(node.app.output()).toMatch(
      /worker 1 has ended soon after its start 6 times in a row and is not started again; the last time it ended by SIGKILL/,
    )
    expect(areGone(node)).toBe(true)
  })
})
