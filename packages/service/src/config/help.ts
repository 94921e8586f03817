import { stringify } from 'yaml'
import { flagOf, type Settings } from './setting.ts'
import { inputKind } from './text-value.ts'

/** What `--help` prints: usage and a table of every setting's flag, variable, default and meaning. */
export function helpText(app: string, version: string, summary: string, settings: Settings): string {
  const rows = Object.entries(settings).map(([key, { schema, env, help, secret }]) => {
    const flag = flagOf(key)
    const negatable = inputKind(schema) === 'boolean'
    return [
      secret ? '' : negatable ? `--[no-]${flag.slice(2)}` : `${flag}=…`,
      env ?? '',
      secret ? '' : defaultText(schema),
      help,
    ]
  })
  const own = [
    ['--config=FILE', '', '', 'YAML file; its keys are the flags in camelCase'],
    ['--print-config', '', '', 'print every setting with its source, and exit'],
    ['--help', '', '', 'print this, and exit'],
    ['--version', '', '', 'print the version, and exit'],
  ]
  const table = columns([['flag', 'variable', 'default', 'meaning'], ...rows, ...own])
  return [
    `${app} ${version}: ${summary}`,
    '',
    `usage: ${app} [--name=value …]`,
    '',
    table,
    '',
    'A flag wins over a variable, a variable over the file, the file over the default.',
    '',
  ].join('\n')
}

/** What `--print-config` prints: YAML that `--config` would take, with each value's source as a comment. */
export function printedConfig(
  settings: Settings,
  values: Readonly<Record<string, { value: unknown; source: string }>>,
): string {
  const rows = Object.entries(settings).map(([key, { secret }]) => {
    const { value, source } = values[key] ?? { value: undefined, source: 'not set' }
    if (value === undefined) return [`# ${key}:`, `# ${source}`]
    if (secret) return [`# ${key}: [secret]`, `# ${source}`]
    return [`${key}: ${inline(value)}`, `# ${source}`]
  })
  return `${columns(rows)}\n`
}

/** A schema's default in the form in which a user would write it: `20s`, not 20000. */
export function defaultValue(schema: Settings[string]['schema']): unknown {
  const { type, defaultValue: own } = schema.def as unknown as { type: string; defaultValue?: unknown }
  if (type === 'prefault' || type === 'default') return own
  const parsed = schema.safeParse(undefined)
  return parsed.success ? parsed.data : undefined
}

function defaultText(schema: Settings[string]['schema']): string {
  const value = defaultValue(schema)
  if (value === undefined) return schema.safeParse(undefined).success ? '' : 'required'
  return inline(value)
}

function inline(value: unknown): string {
  return stringify(value, { collectionStyle: 'flow', lineWidth: 0 }).trim()
}

function columns(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  ')
  return rows.map((row) => line(row).trimEnd()).join('\n')
}
