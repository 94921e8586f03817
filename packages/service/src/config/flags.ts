import { flagOf, type Settings, waysToSet } from './setting.ts'
import { suggestion } from './spelling.ts'
import { inputKind } from './text-value.ts'

/** A value as it was given, with the source that an error names: `--port`, `FLEETROOT_PORT`, `fleet.yaml line 3`. */
export interface Given {
  readonly value: unknown
  readonly source: string
  readonly isText: boolean
}

/** What the command line says, before any schema looked at it. */
export interface CommandLine {
  readonly values: ReadonlyMap<string, Given>
  readonly configFile: string | undefined
  readonly asks: 'help' | 'version' | 'print-config' | undefined
  readonly complaints: readonly string[]
}

const ownFlags = ['--config', '--print-config', '--help', '--version']

/**
 * Reads `--flag=value`, `--flag value`, `--bool`, `--no-bool`; a repeated flag adds to a list, otherwise the
 * last one counts. Never throws: what it cannot read becomes a complaint, so that all are reported together.
 */
export function readCommandLine(argv: readonly string[], settings: Settings): CommandLine {
  const values = new Map<string, Given>()
  const complaints: string[] = []
  let configFile: string | undefined
  let asks: CommandLine['asks']
  const keyOf = new Map(Object.keys(settings).map((key) => [flagOf(key), key]))
  const publicFlags = [...keyOf.keys()].filter((flag) => settings[keyOf.get(flag) ?? '']?.secret === false)
  const rest = [...argv]

  const takeValue = (flag: string, inline: string | undefined): string | undefined => {
    if (inline !== undefined) return inline
    const next = rest[0]
    if (next !== undefined && !next.startsWith('--')) return rest.shift()
    complaints.push(`${flag} needs a value: write ${flag}=VALUE`)
    return undefined
  }

  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    if (!word.startsWith('--') && word !== '-h') {
      complaints.push(`unexpected argument ${JSON.stringify(word)}: settings are written --name=value`)
      continue
    }
    const equals = word.indexOf('=')
    const flag = equals < 0 ? word : word.slice(0, equals)
    const inline = equals < 0 ? undefined : word.slice(equals + 1)
    if (flag === '--help' || flag === '-h') asks = 'help'
    else if (flag === '--version') asks ??= 'version'
    else if (flag === '--print-config') asks ??= 'print-config'
    else if (flag === '--config') configFile = takeValue(flag, inline) ?? configFile
    else {
      const negated = flag.startsWith('--no-') && !keyOf.has(flag)
      const key = keyOf.get(negated ? `--${flag.slice('--no-'.length)}` : flag)
      const declared = key === undefined ? undefined : settings[key]
      if (key === undefined || declared === undefined) {
        const known = [...publicFlags, ...ownFlags]
        complaints.push(`${flag} is not an option${suggestion(flag, known)}`)
      } else if (declared.secret) {
        complaints.push(
          `${flag} is refused, because other users can read a command line; use ${waysToSet(key, declared)}`,
        )
        if (inline === undefined && rest[0]?.startsWith('--') === false) rest.shift()
      } else if (inputKind(declared.schema) === 'boolean') {
        if (negated && inline !== undefined) complaints.push(`${flag} takes no value`)
        else if (negated) values.set(key, { value: false, source: flag, isText: false })
        else values.set(key, { value: inline ?? true, source: flag, isText: inline !== undefined })
      } else if (negated) {
        complaints.push(`${flag} is not an option: only settings that are true or false have a --no- form`)
      } else {
        const text = takeValue(flag, inline)
        const before = values.get(key)
        if (text === undefined) continue
        const adds = before && inputKind(declared.schema) === 'list'
        values.set(key, {
          value: adds ? `${String(before.value)},${text}` : text,
          source: flag,
          isText: true,
        })
      }
    }
  }
  return { values, configFile, asks, complaints }
}
