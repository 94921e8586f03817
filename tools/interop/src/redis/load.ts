import { ExactPublisher, ExactSubscriber } from '@fleetroot/harness'
import { type Node, type Nodes, until } from './nodes.ts'

/** Publishers that forget nothing, and two subscribers at QoS 2: one always there, one only at the end. `where`: the node for the next connection. */
export async function startLoad(nodes: Nodes, where: () => Node) {
  const publishers = [
    new ExactPublisher('one', 1, 40),
    new ExactPublisher('two', 2, 40),
    new ExactPublisher('three', 2, 5),
  ]
  const live = new ExactSubscriber('live')
  const late = new ExactSubscriber('late')
  const dialOf = async (id: string) =>
    nodes.dial(id, ['live', 'late'].includes(id) ? 'service' : 'device', where)
  const dials = new Map<string, Awaited<ReturnType<typeof dialOf>>>()
  for (const id of ['one', 'two', 'three', 'live', 'late']) dials.set(id, await dialOf(id))

  for (const [id, subscriber] of [
    ['live', live],
    ['late', late],
  ] as const) {
    const granted = Promise.withResolvers<void>()
    const { leave, ended } = await subscriber.connect(dials.get(id)!, granted.resolve)
    await granted.promise
    leave()
    await ended
  }
  const state = { isOver: false }
  /** Comes back whenever its connection ends, to wherever it is told then. */
  const stay = async (connect: () => Promise<unknown>): Promise<void> => {
    while (!state.isOver) {
      await connect().catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const staying = [
    stay(async () => (await live.connect(dials.get('live')!)).ended),
    ...publishers.map((each, n) => stay(async () => each.connect(dials.get(['one', 'two', 'three'][n]!)!))),
  ]
  const acknowledged = (): string[] => publishers.flatMap((each) => each.acknowledged)
  const missing = ({ received }: ExactSubscriber): string[] => {
    const has = new Set(received)
    return acknowledged().filter((text) => !has.has(text))
  }
  return {
    acknowledged: () => acknowledged().length,
    /** Waits until so many more were acknowledged. */
    more: async (count: number) => {
      const before = acknowledged().length
      await until(
        () => acknowledged().length >= before + count,
        () => `${acknowledged().length - before} acknowledged\n${where().app.output()}`,
      )
    },
    /** Stops to publish; throws unless all that was acknowledged has arrived, at QoS 2 once. */
    settle: async () => {
      for (const publisher of publishers) publisher.isSending = false
      await until(
        () => publishers.every(({ isDone }) => isDone),
        () => `acknowledgements\n${where().app.output()}`,
      )
      staying.push(stay(async () => (await late.connect(dials.get('late')!)).ended))
      for (const subscriber of [live, late]) {
        await until(
          () => missing(subscriber).length === 0,
          () => `missing: ${missing(subscriber).length}, ${missing(subscriber).slice(0, 5).join(', ')}`,
        )
        const exact = subscriber.received.filter((text) => !text.startsWith('one '))
        const twice = exact.length - new Set(exact).size
        if (twice > 0) throw new Error(`${twice} messages of QoS 2 came twice`)
        if (subscriber.forgotten > 0) throw new Error(`${subscriber.forgotten} sessions were forgotten`)
      }
      state.isOver = true
    },
  }
}
