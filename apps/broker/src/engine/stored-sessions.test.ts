import { Readable } from 'node:stream'
import { beforeEach, describe, expect, test } from 'vitest'
import { BrokerError } from '../error.ts'
import { type ForgetFilter, guardStore, sessionMark, type SessionStore } from './stored-sessions.ts'

/** Everything that reached the store. */
let reached: unknown[][]
let store: SessionStore
let allowed: Set<string>
let ended: Set<string>
let givenUp: string[]
let resumed: Set<string>
let fresh: Set<object>
let unkept: string[]
let failure: Error | undefined
let filters: { topic: string }[]
let forget: ForgetFilter

beforeEach(() => {
  reached = []
  allowed = new Set(['mine'])
  ended = new Set()
  givenUp = []
  resumed = new Set()
  fresh = new Set()
  unkept = []
  failure = undefined
  filters = []
  const record =
    (name: string) =>
    async (...call: unknown[]): Promise<unknown> => {
      reached.push([name, ...call])
      if (failure !== undefined) throw failure
      return name
    }
  store = {
    addSubscriptions: record('add'),
    removeSubscriptions: record('remove'),
    subscriptionsByClient: async () => filters,
    subscriptionsByTopic: async () => ['theirs'],
    storeRetained: record('retain'),
    outgoingStream: () => Readable.from(['theirs']),
    incomingGetPacket: record('get'),
    incomingStorePacket: record('store'),
    incomingDelPacket: record('del'),
    outgoingUpdate: record('update'),
    delWill: record('delWill'),
    putWill: record('putWill'),
  }
  forget = guardStore(store, {
    onUnsubscribe: (_client, filters) => givenUp.push(...filters),
    hasFilter: (_client, filter) => allowed.has(filter),
    isResumed: (key) => resumed.has(key),
    isFresh: (packet) => fresh.delete(packet),
    hasEnded: ({ id }) => ended.has(id),
    onUnkept: ({ id }) => unkept.push(id),
  })
})

const client = { id: 'x' }

describe('the session store', () => {
  test('keeps of several filters only those that are allowed', async () => {
    await store.addSubscriptions(client, [{ topic: '#' }, { topic: 'mine' }, { topic: 'yours' }])
    await store.addSubscriptions(client, [{ topic: '#' }])
    expect(reached).toEqual([['add', client, [{ topic: 'mine' }]]])
  })

  test('keeps them once, though it is asked once for each, and by what was granted until the last', async () => {
    const subscriptions = ['#', 'mine', 'ours'].map((topic) => ({ topic }))
    const asked = [1, 2].map(() => store.addSubscriptions(client, subscriptions))
    allowed.add('ours')
    await Promise.all(asked)
    expect(reached).toEqual([['add', client, [{ topic: 'mine' }, { topic: 'ours' }]]])
  })

  test('does one thing after the other for a client, with what follows from it in between', async () => {
    const order: string[] = []
    const work: [string, Promise<unknown>][] = [
      ['on', store.addSubscriptions(client, [{ topic: 'mine' }])],
      ['off', store.removeSubscriptions(client, ['mine'])],
      ['on', store.addSubscriptions(client, [{ topic: 'mine' }])],
      ['forgotten', forget(client, 'mine')],
    ]
    expect(givenUp).toEqual(['mine'])
    await Promise.all(work.map(([name, done]) => done.then(() => order.push(`${name} ${reached.length}`))))
    expect(order).toEqual(['on 1', 'off 2', 'on 3', 'forgotten 4'])
    expect(reached.map(([name]) => name)).toEqual(['add', 'remove', 'add', 'remove'])
    expect(givenUp).toEqual(['mine'])
  })

  test('does nothing more for a connection that has ended while it waited for its turn', async () => {
    const first = store.addSubscriptions(client, [{ topic: 'mine' }])
    for (const work of [
      store.removeSubscriptions(client, ['mine']),
      store.addSubscriptions(client, [{ topic: 'mine' }]),
      forget(client, 'mine'),
    ])
      void work.then(() => reached.push(['answered']))
    void first.then(() => ended.add('x'))
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(reached).toEqual([['add', client, [{ topic: 'mine' }]]])
  })

  test('says that a session is present when it has no filters', async () => {
    filters = []
    expect(await store.subscriptionsByClient(client)).toEqual([])
    resumed.add('x')
    expect(await store.subscriptionsByClient(client)).toEqual([sessionMark])
    filters = [{ topic: 'mine' }]
    expect(await store.subscriptionsByClient(client)).toEqual(filters)
  })

  test('takes the first of two equal QoS 2 packets for the first one, and leaves the rest to what came before', async () => {
    const first = { messageId: 7 }
    fresh.add(first)
    await expect(store.incomingGetPacket(client, first)).rejects.toThrow('not seen before')
    expect(await store.incomingGetPacket(client, { messageId: 7 })).toBe('get')
    await store.incomingStorePacket(client, first)
    await store.storeRetained({})
    expect(await store.subscriptionsByTopic('mine')).toEqual([])
    expect(await store.outgoingStream(client).toArray()).toEqual([])
    expect(reached.map(([name]) => name)).toEqual(['get'])
  })

  test('never answers the CONNECT of a connection that has ended, and keeps no will of it', async () => {
    expect(await store.delWill(client)).toBe('delWill')
    expect(await store.putWill(client, 'will')).toBe('putWill')
    ended.add('x')
    const answers = [store.delWill(client), store.putWill(client, 'will')]
    let isAnswered = false
    for (const answer of answers) void answer.finally(() => (isAnswered = true))
    // Whatever was under way is done by then: nothing here waits for the outside world.
    for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(isAnswered).toBe(false)
    expect(reached.map(([name]) => name)).toEqual(['delWill', 'putWill', 'delWill', 'putWill', 'delWill'])
  })

  test('ends the session of what could not be kept, and answers nothing; another failure is told', async () => {
    failure = new Error('no such packet')
    await expect(store.incomingDelPacket(client, {})).rejects.toThrow('no such packet')
    expect(unkept).toEqual([])
    failure = new BrokerError('store-failed', 'no disk')
    const answers = [
      store.incomingDelPacket(client, {}),
      store.outgoingUpdate(client, {}),
      store.addSubscriptions(client, [{ topic: 'mine' }]),
      store.removeSubscriptions({ id: 'y' }, ['mine']),
    ]
    const later = new Promise((resolve) => setTimeout(resolve, 20, 'no answer'))
    expect(await Promise.race([...answers, later])).toBe('no answer')
    expect(unkept.sort()).toEqual(['x', 'x', 'x', 'y'])
  })
})
