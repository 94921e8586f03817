import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryFolder } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { type Program, python } from '../programs.ts'
import { succeed } from '../run.ts'

// The completion scripts of fleetctl, in the shells that they are for.

const launcher = join(import.meta.dirname, '../../../fleetctl/bin/fleetctl.js')
const pressTab = join(import.meta.dirname, 'press-tab.py')

/** A line on which somebody presses Tab, what is offered then, and what is not. */
const lines: readonly [line: string, offered: string, not: string][] = [
  ['fleetctl dev', 'device', 'token'],
  ['fleetctl device s', 'suspend', 'retire'],
  ['fleetctl --data /tmp cert revoke --reason ', 'keyCompromise', 'serial'],
  ['fleetctl device list --st', '--state', '--label'],
  ['fleetctl policy explain ', 'subscribe', 'reload'],
]

/** What each shell shows for a line. */
const shells: Record<
  'bash' | 'zsh' | 'fish',
  (script: string, line: string, word: string) => Promise<string>
> = {
  bash: async (script, line) => {
    const words = line.split(' ')
    const ask = `source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _fleetctl; printf '%s\\n' "\${COMPREPLY[@]}"`
    return (await succeed('bash', ['--norc', '-c', ask, script, ...words])).text
  },
  zsh: async (script, line, word) => (await succeed(python, [pressTab, script, line, word])).text,
  fish: async (script, line) =>
    (await succeed('fish', ['--no-config', '-c', 'source $argv[1]; complete -C $argv[2]', script, line]))
      .text,
}

for (const [shell, press] of Object.entries(shells)) {
  judgedBy([shell as Program], `completion in ${shell}`, () => {
    const folder = temporaryFolder()
    const script = join(folder.path, shell)
    beforeAll(async () => {
      writeFileSync(script, (await succeed(process.execPath, [launcher, 'completion', shell])).stdout)
    })
    afterAll(() => folder[Symbol.dispose]())

    test.each(lines)('%s⇥ offers %s', async (line, offered, not) => {
      const shown = await press(script, line, offered)
      expect(shown).toContain(offered)
      expect(shown).not.toContain(not)
    })
  })
}
