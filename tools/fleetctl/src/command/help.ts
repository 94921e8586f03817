import type { Command, CommandTable } from './command.ts'
import { globalOptions, optionOf, type OptionName, serverOptions } from './options.ts'
import { show, showArgument, wordsBelow } from './words.ts'

const summary =
  'the operator’s command line of Fleetroot: devices, tokens, certificates, claims, CAs, audit, policy'

/** The help of a command, of a group, or of all (the empty path). */
export function helpText(path: readonly string[], table: CommandTable): string {
  const command = table.commands.find((each) => each.path.join(' ') === path.join(' '))
  return command ? commandHelp(command) : groupHelp(path, table)
}

function groupHelp(path: readonly string[], table: CommandTable): string {
  const rows = wordsBelow(path, table).map((word) => {
    const below = [...path, word].join(' ')
    const found = [...table.commands, ...table.groups].find((each) => each.path.join(' ') === below)
    return [word, found?.summary ?? ''] as const
  })
  const group = table.groups.find((each) => each.path.join(' ') === path.join(' '))
  return [
    `${show(path)}: ${group?.summary ?? summary}`,
    '',
    `usage: ${show([...path, 'COMMAND'])} [flags]`,
    '',
    'commands:',
    ...columns(rows),
    '',
    ...(path.length === 0 ? everywhere() : []),
    `${show([...path, 'COMMAND', '--help'])} says more about one of them.`,
    '',
  ].join('\n')
}

function everywhere(): string[] {
  return [
    'flags of every command:',
    ...columns(globalOptions.map(flagRow)),
    '',
    'exit status: 0 done; 1 failed, in part or whole, or the answer is no; 2 wrong usage, or not confirmed;',
    '  3 refused by the server, or not found; 4 server not reached or not trusted, or no valid operator',
    '  certificate; 130 interrupted.',
    '',
  ]
}

function commandHelp({
  path,
  summary,
  details,
  args = [],
  options: own = [],
  examples = [],
  server,
}: Command): string {
  const section = (title: string, names: readonly OptionName[]): string[] =>
    names.length === 0 ? [] : [title, ...columns(names.map(flagRow)), '']
  return [
    `${show(path)}: ${summary}`,
    '',
    `usage: ${show([...path, ...args.map(showArgument)])} [flags]`,
    '',
    ...(details === undefined ? [] : [...wrap(details), '']),
    ...section('flags:', own),
    ...section('where the server is, and who asks:', server ? serverOptions : []),
    ...section('flags of every command:', globalOptions),
    ...(examples.length === 0 ? [] : ['examples:', ...examples.map((example) => `  ${example}`), '']),
  ].join('\n')
}

function flagRow(name: OptionName): readonly [string, string] {
  const { help, value, short, choices, multiple } = optionOf(name)
  const flag = `${short ? `-${short}, ` : ''}--${name}${value === undefined ? '' : ` ${value}`}`
  const more = [...(choices ? [choices.join(', ')] : []), ...(multiple ? ['may be repeated'] : [])]
  return [flag, more.length === 0 ? help : `${help}: ${more.join('; ')}`]
}

const width = 100

function columns(rows: readonly (readonly [string, string])[]): string[] {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4
  return rows.flatMap(([name, text]) =>
    wrap(text, width - left).map((line, at) => `${(at === 0 ? `  ${name}` : '').padEnd(left)}${line}`),
  )
}

function wrap(text: string, columns = width): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + word.length < columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
