import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Node, type Nodes, startNodes } from './nodes.ts'

judgedBy(['redis-server'], 'a connection that is cut', () => {
  let nodes: Nodes
  let one: Node
  let two: Node

  beforeAll(async () => {
    nodes = await startNodes(2)
    ;[one, two] = nodes.all as [Node, Node]
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  test('with filters on their way leaves those of its session as they are acknowledged elsewhere', async () => {
    const wanted = 'devices/cut/commands/wanted'
    const old = await nodes.client(one, 'cut', { clean: false })
    await old.subscribe(wanted)
    // Each waits for Redis and for the one before.
    const row = Array.from({ length: 60 }, (_, n) => old.subscribe(`devices/cut/commands/${n}`))
    row.push(old.unsubscribe(wanted))
    const answers = Promise.allSettled(row)
    await row[0]
    await old.leave('abruptly')
    await answers
    const back = await nodes.client(two, 'cut', { clean: false })
    await back.subscribe(wanted)
    const sender = await nodes.client(one, 'cut-sender', { profile: 'service' })
    const topics = Array.from({ length: 40 }, (_, n) => `${n}`)
    for (const text of topics) await sender.publish(wanted, text)
    await back.until(() => back.texts().includes(topics.at(-1)!))
    expect(back.texts()).toEqual(topics)
    for (const client of [back, sender]) await client.leave()
  })
})
