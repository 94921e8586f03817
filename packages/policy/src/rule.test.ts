import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compileRule, covers, type Rule, type RuleValues } from './rule.ts'

const values: RuleValues = { id: 'me', role: 'device', o: 'acme', ou: undefined, serial: '0a' }

function rule(text: string): Rule {
  const compiled = compileRule(text)
  if ('fault' in compiled) throw new Error(compiled.fault)
  return compiled
}

/** MQTT 3.1.1 section 4.7 as a regular expression: nothing in common with the code under test. */
function expression(filter: readonly string[]): RegExp {
  const rest = filter.at(-1) === '#'
  const levels = rest ? filter.slice(0, -1) : filter
  const pattern = levels.map((level) => (level === '+' ? '[^/]*' : RegExp.escape(level))).join('/')
  const ordinary = filter[0] === '+' || filter[0] === '#' ? '(?!\\$)' : ''
  if (!rest) return new RegExp(`^${ordinary}${pattern}$`)
  return new RegExp(levels.length === 0 ? `^${ordinary}.*$` : `^${ordinary}${pattern}(/.*)?$`)
}

function sequences(words: readonly string[], longest: number): string[][] {
  let last: string[][] = [[]]
  const all: string[][] = []
  for (let i = 0; i < longest; i++) {
    last = last.flatMap((sequence) => words.map((word) => [...sequence, word]))
    all.push(...last)
  }
  return all
}

describe('containment of topic filters', () => {
  // 'z' stands in no filter: it is "any other word", without which + would look like a finite choice.
  const topics = sequences(['a', 'b', '$x', '', 'z'], 5).map((levels) => levels.join('/'))
  const filters = sequences(['a', 'b', '$x', '', '+', '#'], 3).filter(
    (levels) => !levels.slice(0, -1).includes('#') && levels.join('/') !== '',
  )

  test('is exactly "every topic matched by the one is matched by the other", for all small filters', () => {
    const extents = filters.map((filter) => {
      const matcher = expression(filter)
      return topics.map((topic) => matcher.test(topic))
    })
    const wrong: string[] = []
    filters.forEach((outer, o) => {
      if (outer.slice(0, -1).includes('') || outer.at(-1) === '') return
      const allowed = rule(outer.join('/'))
      filters.forEach((inner, i) => {
        const expected = extents[i]!.every((matched, t) => !matched || extents[o]![t])
        const actual = covers(allowed, inner.join('/'), values)
        if (actual !== expected) wrong.push(`${inner.join('/')} in ${outer.join('/')}: said ${actual}`)
      })
    })
    expect(wrong).toEqual([])
    expect(filters.length).toBeGreaterThan(150)
  })

  test('of a topic name is matching, for all small topics', () => {
    const wrong: string[] = []
    for (const filter of filters) {
      if (filter.includes('')) continue
      const allowed = rule(filter.join('/'))
      const matcher = expression(filter)
      for (const topic of topics) {
        if (topic === '' || covers(allowed, topic, values) === matcher.test(topic)) continue
        wrong.push(`${topic} against ${filter.join('/')}`)
      }
    }
    expect(wrong).toEqual([])
  })

  const word = fc.constantFrom('a', 'b', '+', 'c', '$s')
  const filter = fc
    .tuple(fc.array(word, { minLength: 1, maxLength: 8 }), fc.boolean())
    .map(([levels, rest]) => (rest ? [...levels, '#'] : levels).join('/'))

  test('holds for itself and is transitive', () => {
    fc.assert(
      fc.property(filter, filter, filter, (a, b, c) => {
        expect(covers(rule(a), a, values)).toBe(true)
        if (covers(rule(b), a, values) && covers(rule(c), b, values)) {
          expect(covers(rule(c), a, values)).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('never lets a topic through that the granted filter matches and the rule does not', () => {
    const topic = fc.array(fc.constantFrom('a', 'b', 'c', 'd', '$s'), { minLength: 1, maxLength: 9 })
    fc.assert(
      fc.property(filter, filter, topic, (outer, inner, levels) => {
        if (!covers(rule(outer), inner, values)) return
        const topic = levels.join('/')
        if (!expression(inner.split('/')).test(topic)) return
        expect(expression(outer.split('/')).test(topic)).toBe(true)
      }),
      { numRuns: 5000 },
    )
  })
})

describe('wildcards in first place', () => {
  test.each(['#', '+', '+/#', '+/+'])('%j does not give $SYS [MQTT-4.7.2-1]', (text) => {
    for (const topic of ['$SYS', '$SYS/a', '$SYS/#', '$SYS/+']) {
      expect(covers(rule(text), topic, values)).toBe(false)
    }
  })

  test('a variable in first place does not give $SYS, whatever the certificate says', () => {
    expect(covers(rule('${o}/#'), '$SYS/a', { ...values, o: '$SYS' })).toBe(false)
  })
})

describe('variables', () => {
  test('stand for the value in the certificate and nothing else', () => {
    const own = rule('devices/${id}/telemetry/#')
    expect(covers(own, 'devices/me/telemetry/temp', values)).toBe(true)
    for (const topic of [
      'devices/you/telemetry/temp',
      'devices/+/telemetry/temp',
      'devices/me2/telemetry/x',
    ]) {
      expect(covers(own, topic, values)).toBe(false)
    }
    expect(covers(own, 'devices/m/telemetry/x', values)).toBe(false)
  })

  test('without a value make a rule that matches nothing', () => {
    expect(covers(rule('units/${ou}/#'), 'units/undefined/a', values)).toBe(false)
    expect(covers(rule('units/${ou}'), 'units/', values)).toBe(false)
  })

  test.each(['devices/x${id}/#', '${id}${role}', 'a/${nobody}', 'a/${id', 'a/${}', 'a/${ id }'])(
    'must be known and whole levels, unlike in %j',
    (text) => expect(compileRule(text)).toHaveProperty('fault'),
  )
})
