import { optionOf, type OptionName } from '../command/options.ts'
import type { CommandTable } from '../command/command.ts'
import { optionsOf, wordsBelow } from '../command/words.ts'

/** What may stand behind one path of words. */
export interface PathRule {
  /** `device add`; empty for the program itself. */
  readonly path: string
  /** Words and flags. */
  readonly words: readonly { readonly word: string; readonly help: string }[]
  readonly flags: readonly FlagRule[]
  /** An argument is a path. */
  readonly takesPath: boolean
}

/** A flag as a shell must know it. */
export interface FlagRule {
  readonly name: string
  readonly short: string | undefined
  readonly help: string
  readonly takesValue: boolean
  readonly choices: readonly string[]
  readonly isPath: boolean
}

/** What all three shells complete by, made of the command table. */
export function completionRules(table: CommandTable): PathRule[] {
  const above = [{ path: [] as readonly string[] }, ...table.groups].map(({ path }): PathRule => ({
    path: path.join(' '),
    words: wordsBelow(path, table).map((word) => {
      const joined = [...path, word].join(' ')
      const found = [...table.commands, ...table.groups].find((each) => each.path.join(' ') === joined)
      return { word, help: found?.summary ?? '' }
    }),
    flags: ['help' as const, ...(path.length === 0 ? ['version' as const] : [])].map(flagRule),
    takesPath: false,
  }))
  const below = table.commands.map((command): PathRule => ({
    path: command.path.join(' '),
    words: (command.args ?? []).flatMap(({ choices = [] }) => choices.map((word) => ({ word, help: '' }))),
    flags: optionsOf(command).map(flagRule),
    takesPath: (command.args ?? []).some(({ isPath }) => isPath),
  }))
  return [...above, ...below]
}

/** The flags with a value, of all commands: what stands behind one is no word of the command. */
export function flagsWithValue(rules: readonly PathRule[]): string[] {
  return [
    ...new Set(rules.flatMap(({ flags }) => flags.filter(({ takesValue }) => takesValue).flatMap(spellings))),
  ]
}

/** `--name`, and `-n` where there is one. */
export function spellings({ name, short }: FlagRule): string[] {
  return [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]
}

function flagRule(name: OptionName): FlagRule {
  const { help, value, short, choices = [], isPath = false } = optionOf(name)
  return { name, short, help, takesValue: value !== undefined, choices, isPath }
}
