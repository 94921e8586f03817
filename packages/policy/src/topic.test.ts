import { describe, expect, test } from 'vitest'
import { findTopicFault, maxTopicLength, maxTopicLevels } from './topic.ts'

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
    ['x'.repeat(maxTopicLength + 1), 'topic-too-long'],
    ['x'.repeat(65_535), 'topic-too-long'],
    ['x/'.repeat(maxTopicLevels) + 'x', 'topic-too-deep'],
  ])('is refused when it is %j: %s', (topic, fault) => expect(findTopicFault(topic, 'topic')).toBe(fault))

  test('may have exactly the longest length and the most levels', () => {
    expect(findTopicFault('x'.repeat(maxTopicLength), 'topic')).toBeUndefined()
    expect(findTopicFault('x/'.repeat(maxTopicLevels - 1) + 'x', 'topic')).toBeUndefined()
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
