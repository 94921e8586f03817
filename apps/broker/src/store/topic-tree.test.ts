import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TopicTree } from './topic-tree.ts'

async function found(tree: TopicTree<string>, ...filters: string[]): Promise<string[]> {
  return (await Array.fromAsync(tree.match(filters))).toSorted()
}

/** A tree whose values are the topics themselves. */
function treeOf(topics: Iterable<string>): TopicTree<string> {
  const tree = new TopicTree<string>()
  for (const topic of topics) tree.set(topic, topic)
  return tree
}

/** MQTT 3.1.1 section 4.7, word for word. */
function matches(filter: string, topic: string): boolean {
  const wanted = filter.split('/')
  const names = topic.split('/')
  if (topic.startsWith('$') && (wanted[0] === '#' || wanted[0] === '+')) return false
  for (const [n, level] of wanted.entries()) {
    if (level === '#') return true
    if (n >= names.length || (level !== '+' && level !== names[n])) return false
  }
  return wanted.length === names.length
}

describe('a topic tree', () => {
  test.each([
    ['sport/tennis/player1/#', ['sport/tennis/player1', 'sport/tennis/player1/ranking']],
    ['sport/tennis/+', ['sport/tennis/', 'sport/tennis/player1']],
    ['+/+', ['/finance', 'sport/tennis']],
    ['/+', ['/finance']],
    [
      '#',
      ['/finance', 'sport/tennis', 'sport/tennis/', 'sport/tennis/player1', 'sport/tennis/player1/ranking'],
    ],
    ['$SYS/#', ['$SYS/monitor']],
    ['+/monitor', []],
    ['sport', []],
  ])('finds for %s what the specification says', async (filter, expected) => {
    const tree = treeOf([
      '/finance',
      '$SYS/monitor',
      'sport/tennis',
      'sport/tennis/',
      'sport/tennis/player1',
      'sport/tennis/player1/ranking',
    ])
    expect(await found(tree, filter)).toEqual(expected)
  })

  test('finds what any of the filters matches, once, and nothing that was taken out', async () => {
    const name = fc.constantFrom('a', 'b', '', '$x')
    const topic = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))
    const filter = fc
      .tuple(fc.array(fc.oneof(name, fc.constant('+')), { maxLength: 4 }), fc.boolean())
      .filter(([names, open]) => names.length > 0 || open)
      .map(([names, open]) => [...names, ...(open ? ['#'] : [])].join('/'))
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(topic, { maxLength: 40 }),
        fc.array(topic, { maxLength: 10 }),
        fc.array(filter, { maxLength: 6 }),
        async (topics, removed, filters) => {
          const tree = treeOf(topics)
          for (const each of removed) tree.delete(each)
          const expected = topics.filter(
            (each) => !removed.includes(each) && filters.some((one) => matches(one, each)),
          )
          expect(await found(tree, ...filters)).toEqual(expected.toSorted())
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

describe('a search among many topics', () => {
  const tree = treeOf(Array.from({ length: 20_000 }, (_, n) => `devices/a/telemetry/${n}`))

  /** Turns of the event loop that others have while it lasts. */
  async function turns(filters: string[]): Promise<number> {
    let count = 0
    let isOver = false
    const next = (): void => {
      count += 1
      if (!isOver) setImmediate(next)
    }
    setImmediate(next)
    expect(await found(tree, ...filters)).toEqual([])
    isOver = true
    return count
  }

  test('for filters without wildcards, or with them elsewhere, is over at once', async () => {
    expect(await turns(Array.from({ length: 100 }, (_, n) => `devices/a/commands/${n}`))).toBe(0)
    expect(await turns(Array.from({ length: 100 }, (_, n) => `devices/a/commands/${n}/#`))).toBe(0)
  })

  test('for wildcards lets others have their turn', async () => {
    expect(await turns(['devices/a/telemetry/+/x'])).toBeGreaterThan(10)
  })
})
