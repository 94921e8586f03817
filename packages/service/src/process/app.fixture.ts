// A small app for the tests: a whole main.ts, whose `--act` chooses what goes wrong.
import { createServer } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { z } from 'zod'
import { port, setting } from '../config/setting.ts'
import { openDataDirectory } from '../data/directory.ts'
import { createOperations } from '../operations/operations.ts'
import { type AppContext, runApp } from './run-app.ts'

const settings = {
  act: setting(z.string().default('serve'), { help: 'what to do' }),
  metricsPort: setting(port(0), { env: 'FLEETROOT_LAMP_METRICS_PORT', help: 'health and metrics' }),
  caPassphrase: setting(z.string().optional(), {
    env: 'FLEETROOT_CA_PASSPHRASE',
    help: 'of the key',
    secret: true,
  }),
}

const say = (text: string) => process.stdout.write(`${text}\n`)

const acts: Readonly<Record<string, (context: AppContext<typeof settings>) => Promise<number | void>>> = {
  serve: async ({ config, logger, signal, onStop, onHangup, ready }) => {
    const data = await openDataDirectory(config.data)
    onStop('data', () => void say('stopped data'))
    const operations = createOperations({ port: config.metricsPort, host: config.host, signal })
    onStop('operations', async () => {
      await operations.close()
      say('stopped operations')
    })
    onHangup(() => void say('reloaded'))
    await data.write('state', 'x')
    logger.info({ token: 'hunter22' }, 'serving')
    ready(`http://${config.host}:${await operations.listen()}`)
  },
  work: async ({ onStop }) => {
    onStop('work', () => void say('stopped work'))
    return 3
  },
  refuse: async ({ onStop }) => {
    onStop('half-open', () => void say('stopped half-open'))
    throw new Error('the enrollment server refused the token: it was used\n  a second line')
  },
  bug: async () => {
    const nothing = JSON.parse('null') as { field: { deep: string } }
    say(nothing.field.deep)
  },
  starting: async ({ signal, onStop }) => {
    onStop('start', () => void say('stopped start'))
    say('starting')
    await delay(60_000, undefined, { signal })
  },
  lateListen: async () => {
    // Its error event has no listener.
    createServer().listen(1, '203.0.113.1')
    await delay(60_000)
  },
  fullDisk: async () => {
    const { appendFile } = await import('node:fs/promises')
    await appendFile('/dev/full', 'x')
  },
  hang: async ({ onStop, ready }) => {
    onStop('first', () => void say('stopped first'))
    onStop('stuck session', () => new Promise(() => say('hanging')))
    ready('x')
    setInterval(() => {}, 60_000)
  },
  brokenHook: async ({ onStop, ready }) => {
    onStop('first', () => void say('stopped first'))
    onStop('journal', () => Promise.reject(new Error('no space')))
    ready('x')
    setInterval(() => {}, 60_000)
  },
  lostMessages: async ({ onStop, ready, stop }) => {
    onStop('report', () => stop('lost messages', 4))
    ready('x')
    setInterval(() => {}, 60_000)
  },
  throw: async ({ ready }) => {
    ready('x')
    setImmediate(() => {
      throw new Error('it broke')
    })
  },
  reject: async ({ ready }) => {
    ready('x')
    setImmediate(() => void Promise.reject(new Error('it broke')))
  },
  brokenPipe: async ({ ready, onStop }) => {
    ready('x')
    onStop('last words', () => void process.stderr.write('drained\n'))
    process.stdout.once('error', () => process.stderr.write('survived\n'))
    setInterval(() => say('tick'), 5)
  },
}

runApp({
  name: 'lamp',
  version: '1.2.3',
  summary: 'a lamp for tests',
  settings,
  main: (context) => (acts[context.config.act] ?? (() => Promise.reject(new Error('no such act'))))(context),
  stopWithinMs: process.env['STOP_WITHIN_MS'] === undefined ? 9_500 : Number(process.env['STOP_WITHIN_MS']),
})
