import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Node, type Nodes, startNodes, until } from './nodes.ts'

const policy = `version: 1
roles:
  device: { clientIds: ['\${id}'], publish: ['devices/\${id}/#'], retain: ['devices/\${id}/#'] }
  service: { clientIds: ['\${id}'], subscribe: ['devices/#'] }
`

judgedBy(['redis-server'], 'what grows old in Redis', () => {
  let nodes: Nodes
  /** Where messages grow old. */
  let impatient: Node
  /** Where sessions do. */
  let one: Node
  let two: Node

  beforeAll(async () => {
    nodes = await startNodes(0)
    nodes.setPolicy(policy)
    const start = (...args: string[]): Promise<Node> => nodes.start({ args })
    ;[impatient, one, two] = await Promise.all([
      start('--redis-prefix=messages', '--max-queued-age=1s'),
      start('--redis-prefix=sessions', '--session-expiry=3s'),
      start('--redis-prefix=sessions', '--session-expiry=3s'),
    ])
  })
  afterAll(() => nodes[Symbol.asyncDispose]())

  const metric = async (node: Node, line: RegExp): Promise<number> =>
    Number(line.exec(await node.operations('/metrics'))?.[1] ?? 0)
  const dropped = (node: Node, reason: string): Promise<number> =>
    metric(node, new RegExp(`dropped_total\\{reason="${reason}"\\} (\\d+)`))
  const stored = (node: Node): Promise<number> => metric(node, /broker_stored_sessions (\d+)/)
  const ask = async (...words: string[]): Promise<string> => (await nodes.redis.ask(...words)).trim()

  test('messages go that have waited for too long, and are counted; the session stays, and what is retained', async () => {
    const away = await nodes.client(impatient, 'away', { profile: 'service', clean: false })
    await away.subscribe('devices/clock/#')
    await away.leave()
    const device = await nodes.client(impatient, 'clock')
    await device.retain({ 'devices/clock/kept': 'kept' })
    for (const text of ['old', 'older']) await device.publish('devices/clock/t', text)
    await until(
      async () => (await dropped(impatient, 'age')) === 3,
      () => impatient.app.output(),
    )
    expect(await ask('GET', 'messages:bytes')).toBe('$1\r\n0')
    expect(await ask('EXISTS', 'messages:queue:service/away/away')).toBe(':0')

    const back = await nodes.client(impatient, 'away', { profile: 'service', clean: false })
    expect(back.connack.sessionPresent).toBe(true)
    await until(
      async () => {
        await device.publish('devices/clock/t', 'new')
        return back.messages.length > 0
      },
      () => impatient.app.output(),
    )
    expect(back.texts()[0]).toBe('new')
    const reader = await nodes.client(impatient, 'reader', { profile: 'service' })
    await reader.subscribe('devices/clock/kept')
    await reader.until(() => reader.texts().includes('kept'))
    for (const client of [device, back, reader]) await client.leave()
  })

  test('sessions end whose clients do not come back, those of a node that was killed too; not those of who is there', async () => {
    const service = async (node: Node, id: string) => {
      const client = await nodes.client(node, id, { profile: 'service', clean: false })
      await client.subscribe('devices/sender/#')
      return client
    }
    const there = await service(two, 'there')
    const sender = await nodes.client(two, 'sender')
    await service(one, 'orphan')
    await (await service(one, 'gone')).leave()
    await sender.publish('devices/sender/t', 'x')
    const lost = await ask('HLEN', 'sessions:queue:service/gone/gone')
    await until(
      async () => (await stored(one)) === 2 && (await stored(two)) === 2,
      () => 'the session of who has gone is there',
    )
    const counts = await Promise.all([one, two].map((node) => dropped(node, 'session-expired')))
    expect(`:${counts[0]! + counts[1]!}`).toBe(lost)

    await one.app.stop('SIGKILL')
    await until(
      async () => (await stored(two)) === 1,
      () => 'the session of a dead node is there',
    )
    for (const id of ['gone', 'orphan']) {
      expect(await ask('KEYS', `sessions:*:service/${id}/${id}`)).toBe('*0')
      const back = await service(two, id)
      expect(back.connack).toMatchObject({ returnCode: 0, sessionPresent: false })
      expect(back.messages).toEqual([])
    }
    await sender.publish('devices/sender/t', 'y')
    await there.until(() => there.texts().includes('y'))
    expect(there.texts()).toEqual(['x', 'y'])
  })
})
