import { join } from 'node:path'
import { type App, operator, type Operator, startApp, temporaryFolder, writeCaKeys } from '@fleetroot/harness'
import { runCommandLine } from '../cli.ts'
import { rememberedTerminal } from './terminal.ts'

/** What a run of fleetctl left behind. */
export interface Ran {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
  /** stdout, or where it is empty stderr, as JSON. */
  readonly json: () => unknown
}

/** How a run differs from one in a script. */
export interface RunOptions {
  readonly isTerminal?: boolean
  readonly answers?: readonly string[]
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  /** Hears of everything that is written to stdout. */
  readonly onWrite?: () => void
  readonly now?: () => Date
}

/** Runs fleetctl in this process, with streams that are remembered. */
export async function fleetctl(argv: readonly string[], options: RunOptions = {}): Promise<Ran> {
  const { env = {}, signal = new AbortController().signal, now = () => new Date(), ...streams } = options
  const terminal = rememberedTerminal(streams)
  const status = await runCommandLine({ argv, env, terminal, version: '1.2.3', signal, now })
  const [stdout, stderr] = [terminal.stdout(), terminal.stderr()]
  return { status, stdout, stderr, json: () => JSON.parse(stdout || stderr) as unknown }
}

/** A real enrollment server with a data directory of its own, and fleetctl on that. */
export interface Session extends AsyncDisposable {
  readonly data: string
  readonly url: string
  readonly server: App
  /** The API beside fleetctl, to look at what it has done. */
  readonly operator: Operator
  readonly env: Readonly<Record<string, string>>
  /** A path in a private folder beside the data directory. */
  readonly file: (name: string) => string
  readonly run: (argv: readonly string[], options?: RunOptions) => Promise<Ran>
}

export async function startSession(
  args: readonly string[] = [],
  more: Record<string, string> = {},
): Promise<Session> {
  const folder = temporaryFolder()
  const data = join(folder.path, 'data')
  writeCaKeys(data)
  const server = startApp('enrollment-server', args, { FLEETROOT_DATA: data, ...more })
  try {
    const url = (await server.ready()).replace('127.0.0.1', 'localhost')
    const admin = operator(data, url)
    const env = { FLEETROOT_DATA: data, FLEETROOT_ENROLLMENT_PORT: new URL(url).port, ...more }
    return {
      data,
      url,
      server,
      operator: admin,
      env,
      file: (name) => join(folder.path, name),
      run: (argv, options = {}) => fleetctl(argv, { ...options, env: { ...env, ...options.env } }),
      [Symbol.asyncDispose]: async () => {
        admin.close()
        await server.stop()
        folder[Symbol.dispose]()
      },
    }
  } catch (error) {
    await server.stop()
    folder[Symbol.dispose]()
    throw error
  }
}
