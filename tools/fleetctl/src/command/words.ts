import type { Argument, Command, CommandTable } from './command.ts'
import { globalOptions, type OptionName, serverOptions } from './options.ts'

/** A command line for a message. */
export function show(words: readonly string[]): string {
  return ['fleetctl', ...words].join(' ')
}

/** An argument as usage lines write it. */
export function showArgument({ name, required, many }: Argument): string {
  const text = many ? `${name}...` : name
  return required ? text : `[${text}]`
}

/** The flags that a command takes. */
export function optionsOf({ options: own = [], server = false }: Command): readonly OptionName[] {
  return [...own, ...(server ? serverOptions : []), ...globalOptions]
}

/** The words that may follow a path, in the order of the table. */
export function wordsBelow(path: readonly string[], { commands, groups }: CommandTable): string[] {
  const below = [...groups, ...commands]
    .map((each) => each.path)
    .filter((each) => each.length > path.length && isSamePath(each.slice(0, path.length), path))
  return [...new Set(below.map((each) => each[path.length] ?? ''))]
}

/** Are two paths the same words? */
export function isSamePath(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((word, at) => word === other[at])
}
