import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '@fleetroot/harness'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run } from '../run.ts'

const deploy = join(import.meta.dirname, '../../../../deploy')
const units = readdirSync(join(deploy, 'systemd')).filter((file) => file.endsWith('.service'))

judgedBy(['systemd-analyze'], 'the units of systemd', () => {
  test('there are two', () => expect(units).toHaveLength(2))

  test.each(units)('%s is one, to systemd itself', async (unit) => {
    using folder = temporaryFolder()
    // systemd wants to see the program that a unit starts.
    const node = join(folder.path, 'node')
    writeFileSync(node, '#!/bin/sh\n')
    chmodSync(node, 0o755)
    const file = join(folder.path, unit)
    const text = readFileSync(join(deploy, 'systemd', unit), 'utf8')
    writeFileSync(file, text.replace('/opt/fleetroot/bin/node', node))
    const answer = await run('systemd-analyze', ['verify', '--man=no', '--recursive-errors=no', file])
    expect(answer.text).toBe('')
    expect(answer.status).toBe(0)
  })

  test.each(units)('%s leaves open what a server needs, and no more', async (unit) => {
    const file = join(deploy, 'systemd', unit)
    // In tenths: 1.5 of 10.
    const args = ['security', '--offline=true', '--threshold=15', '--no-pager', file]
    const { status, text } = await run('systemd-analyze', args)
    expect(status, text).toBe(0)
    expect(text).toMatch(/Overall exposure level .*: \d/)
  })
})

judgedBy(['systemd-sysusers'], 'the users', () => {
  test('are two, neither of which can log in', async () => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'etc'))
    const file = join(deploy, 'systemd/fleetroot.sysusers.conf')
    const { status, text } = await run('systemd-sysusers', [`--root=${folder.path}`, file])
    expect(status, text).toBe(0)
    const users = readFileSync(join(folder.path, 'etc/passwd'), 'utf8').trim().split('\n')
    expect(users.map((user) => user.split(':')[0])).toEqual(['fleetroot-enrollment', 'fleetroot-broker'])
    expect(users.every((user) => user.endsWith('nologin'))).toBe(true)
  })
})
