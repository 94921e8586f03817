import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

judgedBy(['redis-server'], 'what waits in Redis', () => {
  let nodes: Nodes
  let one: Node
  let two: Node

  beforeAll(async () => {
    nodes = await startNodes(2, undefined, { args: ['--max-queued=5', '--max-queued-size=8KiB'] })
    ;[one, two] = nodes.all as [Node, Node]
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  const dropped = async (reason: string): Promise<number> => {
    const metrics = await two.operations('/metrics')
    return Number(new RegExp(`dropped_total\\{reason="${reason}"\\} (\\d+)`).exec(metrics)?.[1] ?? 0)
  }

  /** What a session finds at one node that was away while this was published at the other one. */
  async function found(id: string, payloads: readonly string[]): Promise<string[]> {
    const away = await nodes.client(one, id, { profile: 'service', clean: false })
    await away.subscribe(`devices/${id}-sender/#`)
    await away.leave()
    const sender = await nodes.client(two, `${id}-sender`)
    for (const payload of payloads) await sender.publish(`devices/${id}-sender/t`, payload)
    await sender.leave()
    const back = await nodes.client(one, id, { profile: 'service', clean: false })
    await back.until(() => back.texts().at(-1) === payloads.at(-1))
    await back.leave()
    return back.texts()
  }

  test('is bounded in number for each session: the oldest go, and are counted', async () => {
    expect(await found('many', ['1', '2', '3', '4', '5', '6', '7', '8'])).toEqual(['4', '5', '6', '7', '8'])
    expect(await dropped('queue-messages')).toBe(3)
  })

  test('is bounded in octets for each session', async () => {
    const large = (name: string): string => name.repeat(3000)
    expect(await found('large', ['a', 'b', 'c', 'd'].map(large))).toEqual(['c', 'd'].map(large))
    expect(await dropped('queue-bytes')).toBe(2)
  })

  test('goes to the node that has its client now; one that stood still is told nothing and keeps nothing more', async () => {
    const before = await nodes.client(one, 'sleeper', { profile: 'service', clean: false })
    await before.subscribe('devices/waker/#')
    process.kill(one.app.pid, 'SIGSTOP')
    const waker = await nodes.client(two, 'waker')
    await waker.publish('devices/waker/t', 'while one stands still')
    const after = await nodes.client(two, 'sleeper', { profile: 'service', clean: false })
    expect(after.connack).toMatchObject({ returnCode: 0, sessionPresent: true })
    await after.until(() => after.texts().includes('while one stands still'))
    process.kill(one.app.pid, 'SIGCONT')
    await before.closed
    expect(before.texts()).toEqual([])
    await until(
      async () => (await one.operations('/readyz')) === '{"status":"ready"}',
      () => one.app.output(),
    )
    expect(one.app.output()).toContain('this node may have been given up by the others')
    await waker.publish('devices/waker/t', 'and after')
    await after.until(() => after.texts().includes('and after'))
    for (const client of [waker, after]) await client.leave()
  })
})
