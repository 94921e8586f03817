import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'
import { byteSize } from './byte-size.ts'
import { duration } from './duration.ts'
import { loadConfig } from './load.ts'
import { port, setting } from './setting.ts'

/** Settings of every kind, for the tests of this folder. */
export const settings = {
  port: setting(port(8883), { env: 'FLEETROOT_BROKER_PORT', help: 'MQTT over TLS; 0 picks a free port' }),
  metricsPort: setting(port(9465), { env: 'FLEETROOT_BROKER_METRICS_PORT', help: 'health and metrics' }),
  enrollmentUrl: setting(z.url().optional(), { help: 'where to enroll' }),
  mode: setting(z.enum(['compatible', 'strict']).default('compatible'), { help: 'which TLS versions' }),
  maxPacket: setting(byteSize('128KiB'), { help: 'largest packet' }),
  handshakeTimeout: setting(duration('10s'), { help: 'limit of a handshake' }),
  plain: setting(z.boolean().default(false), { help: 'lines instead of a live view' }),
  dns: setting(z.array(z.string()).default([]), { env: 'FLEETROOT_BROKER_DNS', help: 'names of the broker' }),
  names: setting(z.array(z.string().min(1)).min(1).default(['localhost']), { help: 'names of the server' }),
  limits: setting(z.strictObject({ clients: z.int() }).optional(), { help: 'upper bounds of everything' }),
  passphrase: setting(z.string().min(8).optional(), {
    env: 'FLEETROOT_PASSPHRASE',
    help: 'of the key',
    secret: true,
  }),
}

/** Loads with these arguments, variables and, when given, the text of a configuration file. */
export function load(argv: string[] = [], env: Record<string, string> = {}, yaml?: string) {
  const directory = mkdtempSync(join(tmpdir(), 'fleetroot-config-'))
  const file = join(directory, 'broker.yaml')
  try {
    if (yaml !== undefined) writeFileSync(file, yaml)
    const args = yaml === undefined ? argv : [`--config=${file}`, ...argv]
    return loadConfig({ app: 'broker', version: '0.1.0', summary: 'a broker', settings, argv: args, env })
  } finally {
    rmSync(directory, { recursive: true })
  }
}

/** The configuration that `load` arrives at. */
export function configOf(...args: Parameters<typeof load>) {
  const loaded = load(...args)
  if (loaded.kind !== 'config') throw new Error('expected a configuration')
  return loaded.config
}

/** The message of the error that `load` ends with. */
export function complaintOf(...args: Parameters<typeof load>): string {
  try {
    load(...args)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('expected an error')
}

/** The text that `load` prints instead of a run. */
export function printedBy(...args: Parameters<typeof load>): string {
  const loaded = load(...args)
  if (loaded.kind !== 'print') throw new Error('expected text')
  return loaded.text
}
