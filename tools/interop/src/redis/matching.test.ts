import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { startRedis } from '@fleetroot/harness'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'

const script = join(import.meta.dirname, '../../../../apps/broker/src/redis/scripts/receivers.lua')

/** MQTT 3.1.1 section 4.7, word for word. */
function matchesByTheBook(filter: string, topic: string): boolean {
  const [levels, names] = [filter.split('/'), topic.split('/')]
  if (topic.startsWith('$') && (levels[0] === '+' || levels[0] === '#')) return false
  for (const [index, level] of levels.entries()) {
    if (level === '#') return names.length >= index
    if (index >= names.length || (level !== '+' && level !== names[index])) return false
  }
  return levels.length === names.length
}

/** Everything of one to three levels that can be made of these names. */
function paths(names: readonly string[]): string[] {
  const one = [...names]
  const two = one.flatMap((first) => names.map((name) => `${first}/${name}`))
  return [...one, ...two, ...two.flatMap((first) => names.map((name) => `${first}/${name}`))]
}

judgedBy(['redis-server'], 'the topic filters that a script of Redis matches', () => {
  test('match what the specification says, as those of the broker do', async () => {
    await using redis = await startRedis()
    // What Lua's own patterns mean by these names must not matter.
    const topics = paths(['a', '%a', '$c', '']).filter((topic) => topic !== '')
    const closed = paths(['a', '%a', '$c', '', '+']).filter((filter) => filter !== '')
    const filters = [
      ...closed,
      '#',
      ...closed.filter((one) => one.split('/').length < 3).map((one) => `${one}/#`),
    ]
    const ask = `${readFileSync(script, 'utf8')}
      local answer = ''
      for i = 2, #ARGV do answer = answer .. (matches(ARGV[1], ARGV[i]) and 1 or 0) end
      return answer`
    for (const filter of filters) {
      const found = (await redis.ask('EVAL', ask, '0', filter, ...topics)).split('\r\n')[1]
      expect(found, filter).toHaveLength(topics.length)
      const matched = topics.filter((_, at) => found?.[at] === '1')
      expect(matched, filter).toEqual(topics.filter((topic) => matchesByTheBook(filter, topic)))
    }
  })
})
