import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { startLoad } from './load.ts'
import { type Node, startNodes } from './nodes.ts'

/** A test takes a quarter of a minute on a machine that has nothing else to do. */
const patienceMs = 300_000

judgedBy(['redis-server'], 'what was acknowledged is not lost, and at QoS 2 delivered once,', () => {
  test(
    'when a node is killed under load and its clients go to another one',
    { timeout: patienceMs },
    async () => {
      await using nodes = await startNodes(2)
      let [here, there] = nodes.all as [Node, Node]
      const load = await startLoad(nodes, () => here)
      for (let kill = 0; kill < 2; kill++) {
        await load.more(300)
        const killed = here
        here = there
        await killed.app.stop('SIGKILL')
        await load.more(100)
        there = await nodes.start()
      }
      await load.settle()
      expect(load.acknowledged()).toBeGreaterThan(800)
    },
  )

  test('when clients go from node to node of their own accord', { timeout: patienceMs }, async () => {
    await using nodes = await startNodes(2)
    const [one, two] = nodes.all as [Node, Node]
    let turn = 0
    // Each connection to the other node than the one before.
    const load = await startLoad(nodes, () => ((turn += 1) % 2 === 0 ? one : two))
    const ends = ['one', 'two', 'three', 'live']
    for (let round = 0; round < 20; round++) {
      await load.more(50)
      const id = ends[round % ends.length]!
      const role = id === 'live' ? 'service' : 'device'
      for (const node of [one, two]) await node.disconnect(role, id)
    }
    await load.settle()
    expect(load.acknowledged()).toBeGreaterThan(1_000)
  })

  test('when Redis is killed and started again under load', { timeout: patienceMs }, async () => {
    await using nodes = await startNodes(2)
    const [one, two] = nodes.all as [Node, Node]
    let turn = 0
    const load = await startLoad(nodes, () => ((turn += 1) % 2 === 0 ? one : two))
    for (let kill = 0; kill < 4; kill++) {
      await load.more(300)
      await nodes.redis.kill()
      await nodes.redis.start()
    }
    await load.more(300)
    await load.settle()
    for (const node of [one, two]) expect(await node.operations('/readyz')).toBe('{"status":"ready"}')
  })
})

judgedBy(['redis-server'], 'of a node that was killed', () => {
  test(
    'the wills are published once, by another node, unless they may not be any more; and nobody is said to be connected',
    { timeout: patienceMs },
    async () => {
      await using nodes = await startNodes(3)
      const [killed, one, two] = nodes.all as [Node, Node, Node]
      const watcher = await nodes.client(one, 'watcher', { profile: 'service' })
      await watcher.subscribe('devices/+/state', 2)
      await watcher.subscribe('fleet/presence/+')
      const stored = await nodes.client(two, 'recorder', { profile: 'service', clean: false })
      await stored.subscribe('devices/+/state', 2)
      await stored.leave()
      const will = (id: string) => ({
        topic: `devices/${id}/state`,
        payload: Buffer.from(`${id} is gone`),
        qos: 1 as const,
        retain: true,
      })
      const ids = ['good', 'better', 'thief']
      for (const id of ids) await nodes.client(killed, id, { will: will(id) })
      const states = (): { topic: string; online: boolean }[] =>
        watcher.messages
          .filter(({ topic }) => topic.startsWith('fleet/'))
          .map(({ topic, payload }) => ({
            topic,
            ...(JSON.parse(payload.toString()) as { online: boolean }),
          }))
      await watcher.until(() =>
        ids.every((id) => states().some(({ topic, online }) => topic.endsWith(id) && online)),
      )
      await killed.app.stop('SIGKILL')
      await nodes.admin.call('POST', '/v1/devices/thief/revoke', {})
      // One comes back, before anybody knows that its node is dead.
      const back = await nodes.client(two, 'better')
      expect(back.connack.returnCode).toBe(0)
      await watcher.until(() =>
        ['good', 'thief'].every(
          (id) => states().findLast(({ topic }) => topic.endsWith(id))?.online === false,
        ),
      )
      await watcher.until(
        () => watcher.texts().includes('good is gone') && watcher.texts().includes('better is gone'),
      )
      const later = await nodes.client(two, 'recorder', { profile: 'service', clean: false })
      await later.until(() => later.messages.length >= 2)
      // A second one would be there by now: it would have been published before this.
      const device = await nodes.client(two, 'another')
      await device.publish('devices/another/state', 'last', { qos: 2 })
      await later.until(() => later.texts().includes('last'))
      await watcher.until(() => watcher.texts().includes('last'))
      for (const reader of [watcher, later]) {
        const texts = reader.texts().filter((text) => text.endsWith('gone'))
        expect(texts.sort()).toEqual(['better is gone', 'good is gone'])
      }
      expect(states().findLast(({ topic }) => topic.endsWith('better'))?.online).toBe(true)
    },
  )
})
