import { describe, expect, test } from 'vitest'
import { readDefaultPolicy } from './default-policy.ts'
import { PolicyError } from './error.ts'
import { parsePolicy } from './policy-document.ts'

function mistakes(text: string): string {
  try {
    parsePolicy(text, 'policy.yaml')
  } catch (error) {
    expect(error).toBeInstanceOf(PolicyError)
    expect((error as PolicyError).code).toBe('policy-invalid')
    return (error as PolicyError).message
  }
  throw new Error('the policy was accepted')
}

const device = (lines: string): string => `version: 1\nroles:\n  device:\n${lines}`

describe('the default policy', () => {
  test('is valid and gives rights to devices, services and operators only', () => {
    expect([...parsePolicy(readDefaultPolicy(), 'default-policy.yaml').roles.keys()]).toEqual([
      'device',
      'service',
      'operator',
    ])
  })
})

describe('a mistake in a policy file is named with its line and key', () => {
  test.each([
    ['an empty file', '', 'line 1: (the whole file): Invalid input'],
    ['an alias of nothing', 'version: 1\nroles: *nothing\n', 'an alias (*) cannot be followed'],
    ['a missing version', 'roles: {}\n', 'line 1: version: must be 1'],
    ['a version that we do not know', 'version: 2\nroles: {}\n', 'line 1: version: must be 1'],
    [
      'an unknown key at the top',
      'version: 1\nrole: {}\nroles: {}\n',
      'line 2: role: unknown key; known are',
    ],
    [
      'an unknown role',
      'version: 1\nroles:\n  admin: {}\n',
      'line 3: roles.admin: unknown role; known are device',
    ],
    [
      'a role claim',
      'version: 1\nroles:\n  claim: {}\n',
      'line 3: roles.claim: claim certificates may only enroll',
    ],
    [
      'a misspelt key',
      device("    clientIds: ['${id}']\n    publsh: []\n"),
      'line 5: roles.device.publsh: unknown key; known are clientIds, publish, retain, subscribe',
    ],
    [
      'a word for client ids that is not any',
      device('    clientIds: all\n'),
      'line 4: roles.device.clientIds: needs at least one',
    ],
    ['no client ids', device('    clientIds: []\n'), 'line 4: roles.device.clientIds: needs at least one'],
    [
      'a client id pattern without ${id}',
      device("    clientIds:\n      - '*'\n"),
      'line 5: roles.device.clientIds[0]: "*" is not a usable client id pattern',
    ],
    [
      'a rule with # in the middle',
      device("    clientIds: ['${id}']\n    publish:\n      - ok\n      - 'a/#/b'\n"),
      'line 7: roles.device.publish[1]: "a/#/b" is not a usable topic filter: "+" must be a whole level',
    ],
    [
      'a variable that is part of a level',
      device("    clientIds: ['${id}']\n    subscribe:\n      - 'a/x-${id}'\n"),
      'line 6: roles.device.subscribe[0]: "a/x-${id}" is not a usable topic filter: the level "x-${id}"',
    ],
    [
      'a right to publish to $SYS',
      device("    clientIds: ['${id}']\n    publish:\n      - '$SYS/x'\n"),
      'line 6: roles.device.publish[0]: "$SYS/x" is not a usable topic filter: topics that begin with $',
    ],
    [
      'a shared subscription',
      device("    clientIds: ['${id}']\n    subscribe:\n      - '$share/g/a'\n"),
      'line 6: roles.device.subscribe[0]: "$share/g/a" is not a usable topic filter: of the topics',
    ],
    [
      'a number for a rule',
      device("    clientIds: ['${id}']\n    subscribe:\n      - 7\n"),
      'line 6: roles.device.subscribe[0]: Invalid input: expected string',
    ],
    ['a key given twice', 'version: 1\nversion: 1\nroles: {}\n', 'line 2: Map keys must be unique'],
    ['text that is not YAML', 'version: [1\n', 'line '],
  ])('%s', (_what, text, message) => expect(mistakes(text)).toContain(message))

  test('and all mistakes are told at once', () => {
    const text = device("    clientIds: ['x']\n    publish: ['a/#/b']\n    subscribe: ['$x/y']\n")
    expect(mistakes(text).match(/line \d+: roles\.device/g)).toHaveLength(3)
  })
})
