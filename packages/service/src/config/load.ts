import { ServiceError } from '../error.ts'
import { sentenceOf, show } from './complaint.ts'
import { readEnvironment } from './environment.ts'
import { type Given, readCommandLine } from './flags.ts'
import { defaultValue, helpText, printedConfig } from './help.ts'
import { type Config, type Settings, waysToSet } from './setting.ts'
import { inputKind, readText } from './text-value.ts'
import { readYamlFile } from './yaml-file.ts'

/** The configuration, or the text that the user asked for instead of a run (`--help` and the like). */
export type Loaded<S extends Settings> =
  | { readonly kind: 'config'; readonly config: Config<S>; readonly warnings: readonly string[] }
  | { readonly kind: 'print'; readonly text: string }

/**
 * Layers defaults < YAML file (`--config`) < FLEETROOT_ variables < flags and checks each value with its schema.
 * Throws ServiceError `config` that lists everything that is wrong: the setting, where its value came from,
 * the value unless it is secret, and the fix. `runApp` calls this; call it yourself only in a test.
 */
export function loadConfig<S extends Settings>(options: {
  app: string
  version: string
  summary: string
  settings: S
  argv: readonly string[]
  env: Readonly<NodeJS.ProcessEnv>
}): Loaded<S> {
  const { app, version, summary, settings, argv, env } = options
  const flags = readCommandLine(argv, settings)
  if (flags.asks === 'help') return { kind: 'print', text: helpText(app, version, summary, settings) }
  if (flags.asks === 'version') return { kind: 'print', text: `${app} ${version}\n` }

  const environment = readEnvironment(env, settings)
  const file = flags.configFile === undefined ? undefined : readYamlFile(flags.configFile, settings)
  const complaints = [...flags.complaints, ...environment.complaints, ...(file?.complaints ?? [])]
  const config: Record<string, unknown> = {}
  const shown: Record<string, { value: unknown; source: string }> = {}

  for (const [key, declared] of Object.entries(settings)) {
    const given = flags.values.get(key) ?? environment.values.get(key) ?? file?.values.get(key)
    const value = given && asInput(given, declared.schema)
    const parsed = declared.schema.safeParse(value, { error: sentenceOf })
    if (parsed.success) {
      config[key] = parsed.data
      shown[key] = given
        ? { value, source: given.source }
        : { value: defaultValue(declared.schema), source: 'default' }
    } else if (given) {
      for (const { path, message } of parsed.error.issues) {
        const where = path.length > 0 ? ` ${placeOf(path)}` : ''
        if (given.sourceOf !== undefined && path.length > 0) {
          // The line of the part says it all; the whole around it would be long and hide it.
          const part = declared.secret ? undefined : partOf(value, path)
          const what = part === undefined || typeof part === 'object' ? '' : `=${show(part)}`
          complaints.push(`${given.sourceOf(path)}: ${key}${where}${what}: ${message}`)
          continue
        }
        const what = declared.secret ? '' : `=${show(value)}`
        const name = given.source.startsWith('-') || given.isText ? given.source : `${given.source}: ${key}`
        complaints.push(`${name}${what}${where}: ${message}`)
      }
    } else {
      complaints.push(`${key} is required: set ${waysToSet(key, declared)}`)
    }
  }

  if (complaints.length > 0) throw new ServiceError('config', listed(complaints))
  if (flags.asks === 'print-config') return { kind: 'print', text: printedConfig(settings, shown) }
  return { kind: 'config', config: config as Config<S>, warnings: environment.warnings }
}

/** Where in a value: people count the entries of a list from one. */
function placeOf(path: readonly PropertyKey[]): string {
  return path.map((part) => (typeof part === 'number' ? `entry ${part + 1}` : String(part))).join('.')
}

function partOf(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (whole, part) => (whole as Record<PropertyKey, unknown> | undefined)?.[part],
    value,
  )
}

function asInput(given: Given, schema: Settings[string]['schema']): unknown {
  return given.isText ? readText(String(given.value), inputKind(schema)) : given.value
}

function listed(complaints: readonly string[]): string {
  const [first = ''] = complaints
  if (complaints.length === 1) return `${first} (--help lists the settings)`
  const lines = complaints.map((complaint) => `  ${complaint}`)
  return [`${complaints.length} settings are wrong (--help lists them):`, ...lines].join('\n')
}
