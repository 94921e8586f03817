import { parseArgs } from 'node:util'
import { usageError } from '../error.ts'
import type { Command, CommandTable } from './command.ts'
import type { Input } from './input.ts'
import { globalOptions, optionOf, type OptionName, options } from './options.ts'
import { suggestion } from './spelling.ts'
import { isSamePath, optionsOf, show, showArgument, wordsBelow } from './words.ts'

/** What a command line asks for. */
export type Parsed =
  | { readonly kind: 'run'; readonly command: Command; readonly input: Input }
  | { readonly kind: 'help'; readonly path: readonly string[] }
  | { readonly kind: 'version' }

/**
 * Reads a command line. Flags may stand anywhere, because each means the same in every command. Throws
 * FleetctlError `usage` naming the word that is wrong, what it was probably meant to be, and where the help is.
 */
export async function parseCommandLine(argv: readonly string[], table: CommandTable): Promise<Parsed> {
  const { given, words } = readWords(argv)
  const { command, path } = await findCommand(words, table)
  if (given.version !== undefined) return { kind: 'version' }
  if (given.help !== undefined || command === undefined) {
    const unknown = Object.keys(given).find((name) => !(name in options))
    if (unknown !== undefined) throw await unknownOption(unknown, globalOptions, path)
    return { kind: 'help', path }
  }
  const known = optionsOf(command)
  for (const name of Object.keys(given)) {
    if (!known.includes(name as OptionName)) throw await unknownOption(name, known, path)
  }
  const args = words.slice(path.length)
  await checkArguments(args, command)
  await checkChoices(given, path)
  const texts = (name: OptionName): readonly string[] => given[name] ?? []
  return {
    kind: 'run',
    command,
    input: { args, texts, text: (name) => texts(name).at(-1), on: (name) => given[name] !== undefined },
  }
}

type Given = Partial<Record<OptionName, string[]>>

function readWords(argv: readonly string[]): { given: Given; words: string[] } {
  const given: Record<string, string[]> = {}
  const words: string[] = []
  const { tokens } = parseArgs({
    args: [...argv],
    options: parserOptions,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  for (const token of tokens) {
    if (token.kind === 'positional') words.push(token.value)
    if (token.kind !== 'option') continue
    const { name, value, inlineValue, rawName } = token
    const spec = name in options ? optionOf(name as OptionName) : undefined
    if (spec && spec.value === undefined && value !== undefined) {
      throw usageError(`${rawName} is a switch and takes no value`)
    }
    // `--url --json` was not meant to say that the URL is "--json".
    if (spec?.value !== undefined && (value === undefined || (!inlineValue && /^-./.test(value)))) {
      throw usageError(`${rawName} needs a value: ${rawName} ${spec.value}`)
    }
    if (spec && !spec.multiple && spec.value !== undefined && given[name]) {
      throw usageError(`${rawName} is given twice`)
    }
    given[name] = [...(given[name] ?? []), value ?? '']
  }
  return { given, words }
}

const parserOptions = Object.fromEntries(
  (Object.keys(options) as OptionName[]).map((name) => {
    const { value, short } = optionOf(name)
    return [
      name,
      { type: value === undefined ? 'boolean' : 'string', multiple: true, ...(short && { short }) },
    ] as const
  }),
) as Record<string, { type: 'boolean' | 'string'; multiple: boolean; short?: string }>

async function findCommand(
  words: readonly string[],
  { commands, groups }: CommandTable,
): Promise<{ command?: Command; path: readonly string[] }> {
  let path: string[] = []
  for (const word of words) {
    const next = [...path, word]
    const command = commands.find((each) => isSamePath(each.path, next))
    if (command) return { command, path: next }
    if (!groups.some((each) => isSamePath(each.path, next))) {
      const below = wordsBelow(path, { commands, groups })
      throw usageError(
        `${next.join(' ')} is not a command${await suggestion(word, below)} (${show([...path, '--help'])} lists them)`,
      )
    }
    path = next
  }
  return { path }
}

async function unknownOption(
  name: string,
  known: readonly OptionName[],
  path: readonly string[],
): Promise<Error> {
  const flag = name.length === 1 ? `-${name}` : `--${name}`
  const flags = known.map((each) => `--${each}`)
  return usageError(
    `${flag} is no flag of ${path.join(' ') || 'fleetctl'}${await suggestion(flag, flags)} (${show([...path, '--help'])} lists them)`,
  )
}

async function checkArguments(args: readonly string[], { path, args: wanted = [] }: Command): Promise<void> {
  const usage = `usage: ${show([...path, ...wanted.map(showArgument)])}`
  const missing = wanted.find((argument, at) => argument.required && args[at] === undefined)
  if (missing) throw usageError(`${missing.name} is missing; ${usage}`)
  const extra = wanted.some(({ many }) => many) ? undefined : args[wanted.length]
  if (extra !== undefined) throw usageError(`${JSON.stringify(extra)} is one word too many; ${usage}`)
  for (const [at, { name, choices }] of wanted.entries()) {
    const word = args[at]
    if (word === undefined || !choices || choices.includes(word)) continue
    throw usageError(`${name} must be one of ${choices.join(', ')}${await suggestion(word, choices)}`)
  }
}

async function checkChoices(given: Given, path: readonly string[]): Promise<void> {
  for (const [name, values] of Object.entries(given)) {
    const { choices } = optionOf(name as OptionName)
    const wrong = choices && values.find((value) => !choices.includes(value))
    if (!choices || wrong === undefined) continue
    const help = show([...path, '--help'])
    throw usageError(
      `--${name} must be one of ${choices.join(', ')}${await suggestion(wrong, choices)} (${help})`,
    )
  }
}
