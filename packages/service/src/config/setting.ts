import { resolve } from 'node:path'
import { z } from 'zod'

/** One thing that an app lets its user choose. Made by `setting`. */
export interface Setting<Schema extends z.ZodType = z.ZodType> {
  readonly schema: Schema
  readonly env: string | undefined
  readonly help: string
  readonly secret: boolean
}

/** The settings of an app by their camelCase key, which is the YAML key and, in kebab-case, the flag. */
export type Settings = Readonly<Record<string, Setting>>

/** What `loadConfig` makes of `Settings`: every key with the parsed value of its schema. */
export type Config<S extends Settings> = { readonly [K in keyof S]: z.output<S[K]['schema']> }

/**
 * Declares a setting. Defaults are zod's: `.default(25)`, `.prefault(…)`, `.optional()`; a schema without one
 * makes the setting required. Text from flags and variables is read as the schema's type (`z.int()`,
 * `z.boolean()`, `z.array(z.string())` from `a,b`), so that no schema needs to coerce.
 * A `secret` has no flag, because other users can read a command line, and is masked wherever it would be shown.
 *
 *     const settings = {
 *       port: setting(port(8883), { env: 'FLEETROOT_BROKER_PORT', help: 'MQTT over TLS; 0 picks a free port' }),
 *       devices: setting(z.int().min(1).default(25), { help: 'how many devices' }),
 *       duration: setting(optionalDuration(), { help: 'stop after this long' }),
 *       plain: setting(z.boolean().default(false), { help: 'lines instead of the live view' }),
 *     }
 */
export function setting<Schema extends z.ZodType>(
  schema: Schema,
  options: { env?: `FLEETROOT_${string}`; help: string; secret?: boolean },
): Setting<Schema> {
  return { schema, env: options.env, help: options.help, secret: options.secret ?? false }
}

/** Schema of a TCP port with its default; 0 picks a free one. */
export function port(defaultPort: number) {
  return anyPort().default(defaultPort)
}

/** Schema of a TCP port that may be left out; 0 picks a free one. */
export function optionalPort() {
  return anyPort().optional()
}

function anyPort() {
  const error = 'must be a whole number from 0 to 65535 (0 picks a free port)'
  return z.int({ error }).min(0, { error }).max(65_535, { error })
}

/** The setting of where health and metrics are, for every app that has them. */
export const metricsHost = setting(z.string().min(1).default('127.0.0.1'), {
  env: 'FLEETROOT_METRICS_HOST',
  help: 'address for health and metrics, which anybody who reaches it may read; administration is on loopback only',
})

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const

/** Settings that every app has; `runApp` adds them. `data` is made absolute. */
export const commonSettings = {
  host: setting(z.string().min(1).default('127.0.0.1'), {
    env: 'FLEETROOT_HOST',
    help: 'address to listen on',
  }),
  data: setting(
    z
      .string()
      .min(1)
      .transform((path) => resolve(path))
      .prefault('.fleetroot'),
    { env: 'FLEETROOT_DATA', help: 'data directory' },
  ),
  logLevel: setting(z.enum(levels).optional(), {
    env: 'FLEETROOT_LOG_LEVEL',
    help: `one of ${levels.join(', ')}; left out: info on a terminal, otherwise warn`,
  }),
}

/** `metricsPort` → `--metrics-port`. */
export function flagOf(key: string): string {
  return `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
}

/** The ways to give a setting a value, for an error that must say how: `--port, FLEETROOT_PORT or port: in …`. */
export function waysToSet(key: string, { env, secret }: Setting): string {
  const ways = [...(secret ? [] : [flagOf(key)]), ...(env === undefined ? [] : [env])]
  return ways.length > 0 ? ways.join(' or ') : `${key}: in the file given by --config`
}
