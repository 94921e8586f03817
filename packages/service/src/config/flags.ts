import { flagOf, type Setting, type Settings, waysToSet } from './setting.ts'
import { suggestion } from './spelling.ts'
import { inputKind } from './text-value.ts'

/** A value as it was given, with the source that an error names: `--port`, `FLEETROOT_PORT`, `fleet.yaml line 3`. */
export interface Given {
  readonly value: unknown
  readonly source: string
  /** Text from a flag or variable, still to be read as the schema's kind. */
  readonly isText: boolean
  /** Where a part of the value came from, by its place in the value; only a file has lines. */
  readonly sourceOf?: (place: readonly PropertyKey[]) => string
}

/** What the command line says, before any schema looked at it. */
export interface CommandLine {
  readonly values: Map<string, Given>
  readonly complaints: string[]
  configFile?: string
  asks?: 'help' | 'version' | 'print-config'
}

const ownFlags = ['--config', '--print-config', '--help', '--version']

/**
 * Reads `--flag=value`, `--flag value`, `--bool`, `--no-bool`; a repeated flag adds to a list, otherwise the
 * last one counts. Never throws: what it cannot read becomes a complaint, so that all are reported together.
 */
export function readCommandLine(argv: readonly string[], settings: Settings): CommandLine {
  const line: CommandLine = { values: new Map(), complaints: [] }
  const keyOf = new Map(Object.keys(settings).map((key) => [flagOf(key), key]))
  const rest = [...argv]
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (!word.startsWith('--') && word !== '-h') {
      line.complaints.push(`unexpected argument ${JSON.stringify(word)}: settings are written --name=value`)
      continue
    }
    const equals = word.indexOf('=')
    const flag = equals < 0 ? word : word.slice(0, equals)
    const inline = equals < 0 ? undefined : word.slice(equals + 1)
    if (readOwn(flag, inline, rest, line)) continue
    const negated = flag.startsWith('--no-') && !keyOf.has(flag)
    const key = keyOf.get(negated ? `--${flag.slice('--no-'.length)}` : flag)
    const declared = key === undefined ? undefined : settings[key]
    if (key !== undefined && declared) readSetting(key, declared, { flag, negated, inline }, rest, line)
    else {
      const known = [...keyOf].filter(([, of]) => settings[of]?.secret === false).map(([name]) => name)
      line.complaints.push(`${flag} is not an option${suggestion(flag, [...known, ...ownFlags])}`)
    }
  }
  return line
}

/** Reads one of the flags that every app has; false if it is none of them. */
function readOwn(flag: string, inline: string | undefined, rest: string[], line: CommandLine): boolean {
  switch (flag) {
    case '--config': {
      const file = takeValue(flag, inline, rest, line)
      if (file !== undefined) line.configFile = file
      return true
    }
    case '-h':
    case '--help':
      line.asks = 'help'
      return true
    case '--version':
      line.asks ??= 'version'
      return true
    case '--print-config':
      line.asks ??= 'print-config'
      return true
    default:
      return false
  }
}

function readSetting(
  key: string,
  declared: Setting,
  { flag, negated, inline }: { flag: string; negated: boolean; inline: string | undefined },
  rest: string[],
  line: CommandLine,
): void {
  const kind = inputKind(declared.schema)
  if (declared.secret) {
    const instead = waysToSet(key, declared)
    line.complaints.push(`${flag} is refused, because other users can read a command line; use ${instead}`)
    // Its value must not be reported as an unexpected argument: it is a secret.
    if (inline === undefined && rest[0]?.startsWith('--') === false) rest.shift()
  } else if (kind === 'boolean' && negated) {
    if (inline === undefined) line.values.set(key, { value: false, source: flag, isText: false })
    else line.complaints.push(`${flag} takes no value`)
  } else if (kind === 'boolean') {
    line.values.set(key, { value: inline ?? true, source: flag, isText: inline !== undefined })
  } else if (negated) {
    line.complaints.push(`${flag} is not an option: only settings that are true or false have a --no- form`)
  } else {
    const text = takeValue(flag, inline, rest, line)
    if (text === undefined) return
    const before = kind === 'list' ? line.values.get(key) : undefined
    const value = before ? `${String(before.value)},${text}` : text
    line.values.set(key, { value, source: flag, isText: true })
  }
}

function takeValue(
  flag: string,
  inline: string | undefined,
  rest: string[],
  line: CommandLine,
): string | undefined {
  if (inline !== undefined) return inline
  const next = rest[0]
  if (next !== undefined && !next.startsWith('--')) return rest.shift()
  line.complaints.push(`${flag} needs a value: write ${flag}=VALUE`)
  return undefined
}
