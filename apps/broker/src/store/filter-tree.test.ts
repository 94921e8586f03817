import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { matchesFilter } from '../policy/filter-match.ts'
import { FilterTree } from './filter-tree.ts'

/** MQTT 3.1.1 section 4.7, word for word. */
function matchesByTheBook(filter: string, topic: string): boolean {
  const filters = filter.split('/')
  const names = topic.split('/')
  if (topic.startsWith('$') && (filters[0] === '+' || filters[0] === '#')) return false
  for (const [index, level] of filters.entries()) {
    if (level === '#') return names.length >= index
    if (index >= names.length || (level !== '+' && level !== names[index])) return false
  }
  return filters.length === names.length
}

const name = fc.constantFrom('a', 'b', 'ab', '$c')
const topics = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'))
const filters = fc
  .tuple(fc.array(fc.oneof(name, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([names, isOpen]) => (isOpen ? [...names, '#'] : names).join('/'))
  .chain((filter) => fc.constantFrom(filter, '#'))

test('a filter matches what the specification says', () => {
  fc.assert(
    fc.property(filters, topics, (filter, topic) => {
      expect(matchesFilter(filter, topic), `${filter} ${topic}`).toBe(matchesByTheBook(filter, topic))
    }),
    { numRuns: 3_000 },
  )
})

test('the tree finds what one would find by looking at each filter, and forgets what is taken out', () => {
  fc.assert(
    fc.property(fc.array(filters, { maxLength: 12 }), topics, fc.nat(11), (all, topic, taken) => {
      const tree = new FilterTree<string, string>()
      for (const filter of all) tree.set(filter, filter, filter)
      const gone = all[taken]
      if (gone !== undefined) tree.delete(gone, gone)
      const expected = new Set(all.filter((filter) => filter !== gone && matchesByTheBook(filter, topic)))
      expect(new Set(tree.match(topic))).toEqual(expected)
    }),
    { numRuns: 2_000 },
  )
})

test('two owners of one filter are two, and one that asks again has the newer value', () => {
  const tree = new FilterTree<string, number>()
  tree.set('a/+', 'x', 1)
  tree.set('a/+', 'y', 2)
  tree.set('a/+', 'x', 3)
  expect(new Set(tree.match('a/b'))).toEqual(new Set([2, 3]))
  tree.delete('a/+', 'x')
  tree.delete('a/+', 'nobody')
  expect(tree.match('a/b')).toEqual([2])
})
