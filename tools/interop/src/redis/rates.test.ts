import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import type { Client } from './client.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

const connects = { rate: 1, burst: 10 }
const messages = { rate: 40, burst: 40 }
const bytes = { rate: 65_536, burst: 65_536 }
const maxConnections = 4

judgedBy(['redis-server'], 'a device certificate that is used at two nodes at once', () => {
  let nodes: Nodes
  let both: Node[]

  beforeAll(async () => {
    nodes = await startNodes(0, undefined, {
      args: [
        `--connect-rate=${connects.rate}`,
        `--connect-burst=${connects.burst}`,
        `--message-rate=${messages.rate}`,
        `--message-burst=${messages.burst}`,
        `--byte-rate=${bytes.rate}B`,
        `--byte-burst=${bytes.burst}B`,
        `--max-connections=${maxConnections}`,
      ],
    })
    nodes.setPolicy(`version: 1
roles:
  device: { clientIds: any, publish: ['devices/\${id}/#'], subscribe: [] }
`)
    both = await Promise.all([nodes.start(), nodes.start()])
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  /** Connects, unless it may not: a node that knows by itself closes the connection, one that asks the others says so in the CONNACK. */
  async function attempt(node: Node, id: string, clientId: string): Promise<Client | undefined> {
    try {
      const client = await nodes.client(node, id, { clientId })
      return client.connack.returnCode === 0 ? client : undefined
    } catch (error) {
      expect((error as Error).message).toMatch(/closed before CONNACK|reset|disconnected/)
      return undefined
    }
  }

  test('connects as often as it may at one', async () => {
    let admitted = 0
    const began = performance.now()
    for (let n = 0; n < 60; n += 1) {
      const client = await attempt(both[n % 2]!, 'restless', 'restless')
      if (client === undefined) continue
      admitted += 1
      await client.leave()
    }
    const seconds = (performance.now() - began) / 1_000
    expect(admitted).toBeGreaterThanOrEqual(connects.burst)
    expect(admitted).toBeLessThanOrEqual(connects.burst + connects.rate * seconds + 1)
  })

  test('has as many connections as it may have at one, also when they come at the same moment', async () => {
    const open = new Set<Client>()
    const connect = async (n: number): Promise<void> => {
      const client = await attempt(both[n % 2]!, 'many', `many-${n}`)
      if (client !== undefined) open.add(client)
    }
    await nodes.identity('many')
    await Promise.all(Array.from({ length: 2 * maxConnections }, (_, n) => connect(n)))
    expect(open.size).toBeLessThanOrEqual(maxConnections)
    // Who was refused at the same moment has counted for a while.
    let next = 100
    await until(
      async () => {
        await connect((next += 1))
        return open.size === maxConnections
      },
      () => `${open.size} connections`,
    )
    for (const node of both) {
      expect(await attempt(node, 'many', 'one too many')).toBe(undefined)
    }
    for (const client of open) expect(client.isClosed).toBe(false)
    for (const client of open) await client.leave()
  })

  test('sends over time as many messages and bytes as it may at one', async () => {
    /** What is acknowledged of this much at a time until the end, over a connection to each node. */
    async function flood(id: string, payload: string): Promise<number> {
      const clients = await Promise.all(
        both.map((node, n) => nodes.client(node, id, { clientId: `${id}-${n}` })),
      )
      let acknowledged = 0
      await Promise.all(
        clients.map(async (client) => {
          while (performance.now() < endMs) {
            await client.publish(`devices/${id}/t`, payload)
            acknowledged += 1
          }
        }),
      )
      await Promise.all(clients.map((client) => client.leave('abruptly')))
      return acknowledged
    }
    await Promise.all([nodes.identity('chatty'), nodes.identity('heavy')])
    const began = performance.now()
    const endMs = began + 4_000
    const size = 8_192
    const [chatty, heavy] = await Promise.all([flood('chatty', 'x'), flood('heavy', 'x'.repeat(size))])
    const seconds = (performance.now() - began) / 1_000
    // The bound of docs/operations.md for two: the burst of one, and of the other one that and a twentieth more and a
    // quarter of a second; one message of each is on its way when it is reached.
    const most = ({ rate, burst }: typeof bytes): number => 2.05 * burst + rate * (seconds + 0.25)
    expect(chatty).toBeLessThan(most(messages) + 2)
    expect(heavy * size).toBeLessThan(most(bytes) + 2 * size)
    // Without a common bucket it would be twice what one lets pass.
    expect(most(messages)).toBeLessThan(0.75 * 2 * (messages.burst + messages.rate * seconds))
    for (const sent of [chatty, heavy]) expect(sent).toBeGreaterThan(0)
  })
})
