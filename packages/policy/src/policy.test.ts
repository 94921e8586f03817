import { describe, expect, test } from 'vitest'
import { readDefaultPolicy } from './default-policy.ts'
import { parsePolicy } from './policy-document.ts'
import { allowsClientId, authorize, type Action, type Policy, type Subject } from './policy.ts'

const policy = parsePolicy(readDefaultPolicy(), 'default-policy.yaml')

const subject = (role: string, id = 'me'): Subject => ({
  id,
  role,
  o: undefined,
  ou: undefined,
  serial: '01',
})
const allowed = (role: string, action: Action, topic: string): boolean =>
  authorize(policy, subject(role), action, topic).allowed

describe('a device under the default policy', () => {
  test.each(['devices/me/telemetry', 'devices/me/telemetry/a/b', 'devices/me/state', 'devices/me/events/x'])(
    'may publish %s',
    (topic) => expect(allowed('device', 'publish', topic)).toBe(true),
  )

  test('may answer one command', () => {
    expect(authorize(policy, subject('device'), 'publish', 'devices/me/commands/7/result')).toEqual({
      allowed: true,
      rule: 'devices/${id}/commands/+/result',
      line: readDefaultPolicy().split('\n').indexOf("      - 'devices/${id}/commands/+/result'") + 1,
    })
  })

  test.each([
    ['devices/you/telemetry', 'no-rule'],
    ['devices/me', 'no-rule'],
    ['devices/me/state/x', 'no-rule'],
    ['devices/me/commands/7', 'no-rule'],
    ['devices/ME/telemetry', 'no-rule'],
    ['fleet/broadcast/x', 'no-rule'],
    ['devices/me/../you/telemetry', 'topic-dot-level'],
    ['devices/me/telemetry/../../../you/x', 'topic-dot-level'],
    ['devices//telemetry', 'topic-empty-level'],
    ['devices/me/telemetry//x', 'topic-empty-level'],
    ['/devices/me/telemetry', 'topic-empty-level'],
    ['devices/me/telemetry/', 'topic-empty-level'],
    ['devices/me/telemetry/\0', 'topic-character'],
    ['devices/+/telemetry', 'topic-wildcard'],
    ['$SYS/x/new/clients', 'topic-reserved'],
    [`devices/me/telemetry/${'x'.repeat(65_000)}`, 'topic-too-long'],
  ])('may not publish %.60s: %s', (topic, reason) =>
    expect(authorize(policy, subject('device'), 'publish', topic)).toEqual({ allowed: false, reason }),
  )

  test.each(['devices/me/commands/#', 'devices/me/commands/+', 'devices/me/commands', 'fleet/broadcast/#'])(
    'may subscribe to %s',
    (filter) => expect(allowed('device', 'subscribe', filter)).toBe(true),
  )

  test.each([
    '#',
    '+',
    '+/#',
    '+/+/#',
    'devices/#',
    'devices/+/commands/#',
    'devices/me/#',
    'devices/me/+/x',
    'devices/you/commands/#',
    'fleet/#',
    'fleet/+/x',
    '$SYS/#',
    '$SYS/+/new/clients',
    '$share/g/devices/#',
    '$share/g/devices/me/commands/#',
    'devices/me/commands/#/x',
    'devices/me/commands#',
    'devices//commands/#',
    '/devices/me/commands/#',
  ])('may not subscribe to %s', (filter) => expect(allowed('device', 'subscribe', filter)).toBe(false))

  test('may receive only what it may subscribe to', () => {
    expect(allowed('device', 'receive', 'devices/me/commands/1')).toBe(true)
    expect(allowed('device', 'receive', 'devices/you/commands/1')).toBe(false)
    expect(allowed('device', 'receive', 'devices/me/telemetry')).toBe(false)
  })
})

describe('other roles', () => {
  test('a service may command and listen, not speak for a device', () => {
    expect(allowed('service', 'publish', 'devices/x/commands/reboot')).toBe(true)
    expect(allowed('service', 'publish', 'devices/x/telemetry')).toBe(false)
    expect(allowed('service', 'subscribe', 'devices/#')).toBe(true)
    expect(allowed('service', 'subscribe', '#')).toBe(false)
  })

  test('an operator may watch everything and publish nothing', () => {
    expect(allowed('operator', 'subscribe', '$SYS/#')).toBe(true)
    expect(allowed('operator', 'receive', '$SYS/x/heartbeat')).toBe(true)
    expect(allowed('operator', 'publish', 'devices/me/telemetry')).toBe(false)
  })

  test.each(['claim', 'nobody', '', '__proto__', 'constructor'])('%j may do nothing', (role) => {
    for (const action of ['publish', 'retain', 'subscribe', 'receive'] as const) {
      expect(allowed(role, action, 'devices/me/telemetry')).toBe(false)
    }
    expect(allowsClientId(policy, subject(role), 'me')).toBe(false)
  })
})

describe('retained messages', () => {
  const limited = parsePolicy(
    [
      'version: 1',
      'roles:',
      '  device:',
      "    clientIds: ['${id}']",
      "    publish: ['devices/${id}/#']",
      "    retain: ['devices/${id}/state']",
    ].join('\n'),
    'p',
  )

  test('are allowed wherever publishing is, unless the policy lists where', () => {
    expect(allowed('device', 'retain', 'devices/me/telemetry/x')).toBe(true)
    expect(authorize(limited, subject('device'), 'retain', 'devices/me/state').allowed).toBe(true)
    expect(authorize(limited, subject('device'), 'retain', 'devices/me/telemetry').allowed).toBe(false)
  })
})

describe('client ids', () => {
  test('a device has its own and no other', () => {
    expect(allowsClientId(policy, subject('device'), 'me')).toBe(true)
    for (const other of ['you', 'me.1', 'ME', '', 'me ', 'me\0']) {
      expect(allowsClientId(policy, subject('device'), other)).toBe(false)
    }
  })

  test('a service has its own and those below it', () => {
    expect(allowsClientId(policy, subject('service'), 'me')).toBe(true)
    expect(allowsClientId(policy, subject('service'), 'me.worker-1')).toBe(true)
    for (const other of ['me.', 'me2', 'mex.1', 'me./', 'me.a b', `me.${'x'.repeat(65)}`]) {
      expect(allowsClientId(policy, subject('service'), other)).toBe(false)
    }
  })

  test('with `any` are whatever the client likes, as long as it can be shown in a log', () => {
    const any = parsePolicy('version: 1\nroles:\n  service: { clientIds: any }\n', 'any')
    for (const chosen of ['me', 'you', 'MQTT/Client 1', 'ä', 'x'.repeat(256)]) {
      expect(allowsClientId(any, subject('service'), chosen)).toBe(true)
    }
    for (const other of ['', 'a\0', 'a\n', '\u202e', 'x'.repeat(257)]) {
      expect(allowsClientId(any, subject('service'), other)).toBe(false)
    }
    expect(allowsClientId(any, subject('device'), 'me')).toBe(false)
  })

  test('a dot in a device id is only a dot', () => {
    expect(allowsClientId(policy, subject('device', 'a.b'), 'axb')).toBe(false)
    expect(allowsClientId(policy, subject('service', '$&'), 'x')).toBe(false)
  })
})

test('topics and rules may be as long and as deep as whoever reads the policy says', () => {
  const text = 'version: 1\nroles: { device: { clientIds: any, publish: ["devices/${id}/#"] } }\n'
  const subject = { id: 'me', role: 'device', o: undefined, ou: undefined, serial: '01' }
  const small = parsePolicy(text, 'small', { maxLength: 16, maxLevels: 4 })
  const reason = (policy: Policy, topic: string): unknown => {
    const verdict = authorize(policy, subject, 'publish', topic)
    return verdict.allowed || verdict.reason
  }
  expect(reason(small, 'devices/me/a/b')).toBe(true)
  expect(reason(small, 'devices/me/a/b/c')).toBe('topic-too-deep')
  expect(reason(small, 'devices/me/abcdef')).toBe('topic-too-long')
  const large = parsePolicy(text, 'large', { maxLength: 65_535, maxLevels: 100 })
  expect(reason(large, `devices/me${'/x'.repeat(98)}`)).toBe(true)
  expect(reason(large, `devices/me/${'x'.repeat(60_000)}`)).toBe(true)
  expect(() => parsePolicy(text, 'tiny', { maxLength: 16, maxLevels: 2 })).toThrow('too many levels')
})
