import { describe, expect, test } from 'vitest'
import { defaultTopicLimits, findTopicFault } from './topic.ts'

const { maxLength, maxLevels } = defaultTopicLimits

describe('a topic name', () => {
  test.each([
    'a',
    'a/b/c',
    'devices/pump-7/telemetry/temp',
    '$SYS/uptime',
    'a b',
    'é/ö',
    '...',
    'a/.b',
    'a/..b',
  ])('may be %j', (topic) => expect(findTopicFault(topic, 'topic')).toBeUndefined())

  test.each([
    ['', 'topic-empty'],
    ['/', 'topic-empty-level'],
    ['/a', 'topic-empty-level'],
    ['a/', 'topic-empty-level'],
    ['a//b', 'topic-empty-level'],
    ['a/./b', 'topic-dot-level'],
    ['a/..', 'topic-dot-level'],
    ['../a', 'topic-dot-level'],
    ['a\0b', 'topic-character'],
    ['a\nb', 'topic-character'],
    ['a\u0085b', 'topic-character'],
    ['a\ufffdb', 'topic-character'],
    ['a/+', 'topic-wildcard'],
    ['#', 'topic-wildcard'],
    ['x'.repeat(maxLength + 1), 'topic-too-long'],
    ['x'.repeat(65_535), 'topic-too-long'],
    ['x/'.repeat(maxLevels) + 'x', 'topic-too-deep'],
  ])('is refused when it is %j: %s', (topic, fault) => expect(findTopicFault(topic, 'topic')).toBe(fault))

  test('may have exactly the longest length and the most levels', () => {
    expect(findTopicFault('x'.repeat(maxLength), 'topic')).toBeUndefined()
    expect(findTopicFault('x/'.repeat(maxLevels - 1) + 'x', 'topic')).toBeUndefined()
  })
})

describe('a topic filter', () => {
  test.each(['+', '#', '+/+/#', 'a/+/b', 'a/#', '$SYS/#'])('may be %j', (filter) =>
    expect(findTopicFault(filter, 'filter')).toBeUndefined(),
  )

  test.each(['a+', '+a', 'a#', '#a', '##', '++', 'a/b+', 'a/#/b', '#/', '+#', 'a/+b/c', '#/#'])(
    'is refused when a wildcard is not a level of its own or # is not last: %j',
    (filter) => expect(findTopicFault(filter, 'filter')).toMatch(/filter-wildcard|topic-empty-level/),
  )
})
