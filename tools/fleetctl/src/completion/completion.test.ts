import { describe, expect, test } from 'vitest'
import { table } from '../command/table.ts'
import { fleetctl } from '../testing/session.ts'
import { completionRules } from './rules.ts'

describe('the completion script', () => {
  test.each(['bash', 'zsh', 'fish'])('of %s knows every command and every choice', async (shell) => {
    const { status, stdout, stderr } = await fleetctl(['completion', shell])
    expect([status, stderr]).toEqual([0, ''])
    for (const { path } of table.commands) expect(stdout).toContain(`'${path.join(' ')}'`)
    for (const word of ['keyCompromise', 'suspended', 'subscribe']) expect(stdout).toContain(word)
  })

  test('of zsh uses no name that is zsh’s own', async () => {
    const { stdout } = await fleetctl(['completion', 'zsh'])
    expect(stdout).not.toMatch(/\b(path|commands|status|options)=/)
  })

  test('is JSON with --json', async () => {
    const { json } = await fleetctl(['completion', 'bash', '--json'])
    expect(json()).toMatchObject({ shell: 'bash', script: expect.stringContaining('complete ') })
  })
})

test('the rules have words below groups, and flags below commands', () => {
  const rules = new Map(completionRules(table).map((rule) => [rule.path, rule]))
  expect(rules.get('')?.words.map(({ word }) => word)).toContain('device')
  expect(rules.get('device')?.words.map(({ word }) => word)).toContain('suspend')
  expect(rules.get('device list')?.flags.map(({ name }) => name)).toContain('state')
  expect(rules.get('policy explain')?.words.map(({ word }) => word)).toEqual([
    'publish',
    'subscribe',
    'receive',
    'connect',
  ])
})
