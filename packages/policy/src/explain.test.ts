import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readDefaultPolicy } from './default-policy.ts'
import { explain, explainClientId } from './explain.ts'
import { parsePolicy } from './policy-document.ts'
import { type Action, allowsClientId, authorize, type Subject } from './policy.ts'

const text = readDefaultPolicy()
const policy = parsePolicy(text, 'policy.yaml')
const lineOf = (rule: string): number => text.split('\n').findIndex((line) => line.includes(`'${rule}'`)) + 1
const subject = (role: string, id = 'd1'): Subject => ({
  id,
  role,
  o: undefined,
  ou: undefined,
  serial: '0a',
})

describe('an explanation', () => {
  test('names the rule that allows, with file and line', () => {
    const rule = 'devices/${id}/telemetry/#'
    expect(explain(policy, subject('device'), 'publish', 'devices/d1/telemetry/x')).toMatchObject({
      allowed: true,
      rule: { text: rule, line: lineOf(rule) },
      sentence: `policy.yaml:${lineOf(rule)} allows it: ${rule}, under roles.device.publish`,
    })
  })

  test('of a denial says that nothing allows it, and lists what was asked', () => {
    const { sentence, asked, ...rest } = explain(policy, subject('device'), 'publish', 'devices/d2/x')
    expect(rest).toEqual({ allowed: false, reason: 'no-rule' })
    expect(sentence).toMatch(/^policy\.yaml:\d+: nothing under roles\.device\.publish allows it/)
    expect(asked.map(({ text, line, allows }) => [text, line === lineOf(text), allows])).toEqual([
      ['devices/${id}/telemetry/#', true, false],
      ['devices/${id}/state', true, false],
      ['devices/${id}/events/#', true, false],
      ['devices/${id}/commands/+/result', true, false],
    ])
  })

  test.each([
    ['claim', 'publish', 'a', 'policy.yaml gives no rights to the role claim'],
    [
      'device',
      'publish',
      '$SYS/x',
      'topics that begin with $ belong to the broker, whatever the policy says',
    ],
    ['device', 'publish', 'a//b', 'the topic is refused before any rule is asked: it has an empty level'],
    ['device', 'subscribe', 'a#', 'the topic is refused before any rule is asked: "+" must be a whole level'],
  ] as const)('of %s, %s %s says why', (role, action, topic, sentence) => {
    expect(explain(policy, subject(role), action, topic).sentence).toContain(sentence)
  })

  test('of a client id names its pattern', () => {
    expect(explainClientId(policy, subject('service'), 'd1.a')).toMatchObject({
      allowed: true,
      rule: { text: '${id}.*' },
    })
    expect(explainClientId(policy, subject('device'), 'd2')).toMatchObject({
      allowed: false,
      reason: 'client-id-not-allowed',
    })
  })
})

test('an explanation never says anything else than the broker decides', () => {
  const level = fc.constantFrom(
    'devices',
    'd1',
    'd2',
    'telemetry',
    'commands',
    'fleet',
    'broadcast',
    '+',
    '#',
    '$SYS',
    '',
  )
  const topic = fc.array(level, { minLength: 1, maxLength: 5 }).map((levels) => levels.join('/'))
  const role = fc.constantFrom('device', 'service', 'operator', 'claim')
  const action = fc.constantFrom<Action>('publish', 'retain', 'subscribe', 'receive')
  fc.assert(
    fc.property(role, action, topic, (role, action, topic) => {
      const verdict = authorize(policy, subject(role), action, topic)
      const told = explain(policy, subject(role), action, topic)
      expect(told.allowed).toBe(verdict.allowed)
      if (verdict.allowed) expect(told.rule).toEqual({ text: verdict.rule, line: verdict.line })
      else expect(told.reason).toBe(verdict.reason)
      // The rule that decides is the first of those that would allow it.
      expect(told.asked.find(({ allows }) => allows)?.line).toBe(told.rule?.line)
    }),
    { numRuns: 3000 },
  )
  fc.assert(
    fc.property(role, fc.constantFrom('d1', 'd2', 'd1.a', 'd1.', 'd1.a b', ''), (role, clientId) => {
      expect(explainClientId(policy, subject(role), clientId).allowed).toBe(
        allowsClientId(policy, subject(role), clientId),
      )
    }),
  )
})
