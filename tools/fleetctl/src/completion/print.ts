import type { Run } from '../command/command.ts'
import { table } from '../command/table.ts'
import { bashScript } from './bash.ts'
import { fishScript } from './fish.ts'
import { completionRules } from './rules.ts'
import { zshScript } from './zsh.ts'

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript }

export const printCompletion: Run = async (input) => {
  const shell = input.args[0] as keyof typeof scripts
  const script = scripts[shell](completionRules(table))
  return { kind: 'text', json: { shell, script }, text: script.trimEnd() }
}
