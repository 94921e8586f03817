import { describe, expect, test } from 'vitest'
import { exitStatus } from '../error.ts'
import { fleetctl } from '../testing/session.ts'
import { optionOf, type OptionName, options } from './options.ts'
import { table } from './table.ts'
import { optionsOf, show } from './words.ts'

describe('help', () => {
  test('of the program names every group and every exit status', async () => {
    for (const argv of [[], ['--help'], ['-h']]) {
      const { status, stdout, stderr } = await fleetctl(argv)
      expect([status, stderr]).toEqual([0, ''])
      for (const { path, summary } of table.groups.filter(({ path }) => path.length === 1)) {
        expect(stdout).toMatch(new RegExp(`^  ${path[0]} +${summary.slice(0, 30)}`, 'm'))
      }
      for (const number of Object.values(exitStatus)) expect(stdout).toContain(`${number} `)
    }
  })

  test.each(table.groups.map(({ path }) => path))('of a group lists its commands: %s', async (...path) => {
    const below = table.commands.filter((each) => path.every((word, at) => each.path[at] === word))
    expect(below.length).toBeGreaterThan(0)
    const { status, stdout } = await fleetctl(path)
    expect(status).toBe(0)
    for (const { path: words } of below) expect(stdout).toContain(`  ${words[path.length]}`)
  })

  test.each(table.commands.map((command) => [show(command.path), command] as const))(
    'of %s describes its words and flags',
    async (_name, command) => {
      const { status, stdout, stderr } = await fleetctl([...command.path, '--help'])
      expect([status, stderr]).toEqual([0, ''])
      expect(stdout).toContain(`${show(command.path)}: ${command.summary}\n\nusage: ${show(command.path)}`)
      for (const name of optionsOf(command)) expect(stdout).toContain(`--${name}`)
      expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(130)
    },
  )

  test('may be asked for with half a command line', async () => {
    expect((await fleetctl(['device', 'add', '--help', '--profile', 'x'])).status).toBe(0)
  })
})

test('--version says the version', async () => {
  expect(await fleetctl(['--version'])).toMatchObject({ status: 0, stdout: 'fleetctl 1.2.3\n' })
})

describe('a wrong command line', () => {
  test.each([
    ['devise list', 'devise is not a command; did you mean device? (fleetctl --help lists them)'],
    ['device lst', 'device lst is not a command; did you mean list? (fleetctl device --help lists them)'],
    ['ca rotate ruut', 'ca rotate ruut is not a command'],
    ['xyzzy', 'xyzzy is not a command (fleetctl --help lists them)'],
    ['device list --stat x', '--stat is no flag of device list; did you mean --state?'],
    ['device list --quota 1', '--quota is no flag of device list'],
    ['device list -x', '-x is no flag of device list'],
    ['--jsn', '--jsn is no flag of fleetctl; did you mean --json?'],
    ['device list --limit', '--limit needs a value: --limit N'],
    ['device list --limit --state retired', '--limit needs a value: --limit N'],
    ['device list --limit=x', '--limit must be a whole number; 0 for all'],
    ['device list --json=yes', '--json is a switch and takes no value'],
    ['device list --limit 1 --limit 2', '--limit is given twice'],
    ['audit tail -n x', '--lines must be a whole number'],
    ['completion tcsh', 'SHELL must be one of bash, zsh, fish'],
  ])('%s ends with 2 and one sentence', async (line, message) => {
    const { status, stdout, stderr } = await fleetctl(line.split(' '))
    expect([status, stdout]).toEqual([2, ''])
    expect(stderr).toContain(`fleetctl: ${message}`)
    expect(stderr.split('\n')).toHaveLength(2)
  })

  test('is JSON for whoever asked for JSON', async () => {
    const { status, json } = await fleetctl(['devise', '--json'])
    expect(status).toBe(2)
    expect(json()).toEqual({
      error: {
        code: 'usage',
        message: 'devise is not a command; did you mean device? (fleetctl --help lists them)',
        exitStatus: 2,
      },
    })
  })

  test('cannot send controls to the terminal', async () => {
    const { stderr } = await fleetctl(['\u001b[2Jdevice\u009b', 'list'])
    expect(stderr).toContain('\\u001b[2Jdevice\\u009b is not a command')
  })
})

test('flags may stand before the command, and -- ends them', async () => {
  const before = await fleetctl([
    '--role',
    'device',
    '--id',
    'd1',
    'policy',
    'explain',
    'publish',
    'devices/d1/state',
  ])
  expect(before.status).toBe(0)
  const { stderr } = await fleetctl(['device', 'get', '--', '--json'])
  expect(stderr).toBe(
    'fleetctl: ID: "--json" is no device id: 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or a digit\n',
  )
})

describe('the command table', () => {
  test('uses every flag, and every flag with choices says them', () => {
    const used = new Set(table.commands.flatMap(optionsOf))
    expect((Object.keys(options) as OptionName[]).filter((name) => !used.has(name))).toEqual([])
    const shorts = Object.keys(options).map((name) => optionOf(name as OptionName).short)
    const given = shorts.filter((short) => short !== undefined)
    expect(new Set(given).size).toBe(given.length)
  })

  test('leads every command to something that runs', async () => {
    for (const { load } of table.commands) expect(await load()).toBeTypeOf('function')
  })
})
