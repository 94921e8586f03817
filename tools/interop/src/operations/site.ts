import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort, type RunningProcess, startProcess, temporaryFolder } from '@fleetroot/harness'
import { succeed } from '../run.ts'

const repository = join(import.meta.dirname, '../../../..')

/** Both servers as an operator has them: a machine of its own below a folder, without systemd and without other users. */
export interface Site extends AsyncDisposable {
  /** Where `/etc/…` and the like are. */
  readonly path: (absolute: string) => string
  /** By the port that the documents say. */
  readonly portFor: (documented: number) => number
  /** What a unit has started last; it may have ended. */
  readonly running: (unit: Unit) => RunningProcess
  /** Runs a block of the documents line by line, as root would on that machine. Throws what it printed when it fails. */
  readonly follow: (block: string) => Promise<string>
}

export type Unit = 'fleetroot-enrollment-server' | 'fleetroot-broker'

/** Starts nothing yet: the documents do. */
export async function openSite(): Promise<Site> {
  const folder = temporaryFolder()
  const ports = new Map<number, number>()
  for (const documented of [8443, 8080, 9464, 8883, 8884, 9465, 8886]) ports.set(documented, await freePort())
  const portFor = (documented: number): number => ports.get(documented)!
  const path = (absolute: string): string => join(folder.path, absolute)
  const located = (text: string): string =>
    text
      .replaceAll(/(?<![\w.])\/(etc|run|var)\//g, `${folder.path}/$1/`)
      .replaceAll(
        /\b(127\.0\.0\.1|localhost):(\d{4})\b/g,
        (_all, host: string, port: string) => `${host}:${portFor(Number(port))}`,
      )
      .replaceAll('/opt/fleetroot/', `${repository}/`)
  const running = new Map<Unit, RunningProcess>()

  for (const directory of ['/etc/fleetroot', '/run', '/var/lib', '/var/backups']) {
    mkdirSync(path(directory), { recursive: true })
  }
  for (const file of readdirSync(join(repository, 'deploy/config'))) {
    const text = readFileSync(join(repository, 'deploy/config', file), 'utf8')
    const here = text
      .replace("host: '::'", 'host: 127.0.0.1')
      .replace('enroll.fleet.example:8443', 'localhost:8443')
    writeFileSync(path(`/etc/fleetroot/${file}`), located(here))
  }

  /** What systemd does with a unit, as far as a user without rights can. */
  async function start(unit: Unit): Promise<void> {
    const text = readFileSync(join(repository, `deploy/systemd/${unit}.service`), 'utf8')
    const all = (key: string): string[] =>
      [...text.matchAll(new RegExp(`^${key}=(.+)$`, 'gm'))].map(([, value = '']) => value)
    const credentials = path(`/run/credentials/${unit}`)
    mkdirSync(credentials, { recursive: true })
    for (const name of all('LoadCredential')) {
      const kept = path(`/etc/credstore/${name}`)
      if (existsSync(kept)) cpSync(kept, join(credentials, name))
    }
    for (const name of all('StateDirectory'))
      mkdirSync(path(`/var/lib/${name}`), { recursive: true, mode: 0o700 })
    const [, ...args] = located(all('ExecStart')[0] ?? '').split(' ')
    const environment = all('Environment').map((line) => {
      const [name = '', value = ''] = line.split('=')
      return [name, value.replace('%S', path('/var/lib')).replace('%d', credentials)]
    })
    const process = startProcess(unit, args, {
      ...Object.fromEntries(environment),
      FLEETROOT_ENROLLMENT_PORT: String(portFor(8443)),
      FLEETROOT_ENROLLMENT_HTTP_PORT: String(portFor(8080)),
      FLEETROOT_ENROLLMENT_METRICS_PORT: String(portFor(9464)),
      FLEETROOT_BROKER_PORT: String(portFor(8883)),
      FLEETROOT_BROKER_WSS_PORT: String(portFor(8884)),
      FLEETROOT_BROKER_METRICS_PORT: String(portFor(9465)),
      FLEETROOT_BROKER_ADMIN_PORT: String(portFor(8886)),
    })
    running.set(unit, process)
    await process.waitFor(/^[\w-]+: listening on/m)
  }

  async function stop(unit: Unit): Promise<void> {
    const exit = await running.get(unit)?.stop()
    if (exit?.status !== 0)
      throw new Error(`${unit}: ${JSON.stringify(exit)}\n${running.get(unit)?.output()}`)
  }

  async function shell(lines: readonly string[]): Promise<string> {
    const cli = `'${process.execPath}' '${repository}/tools/fleetctl/bin/fleetctl.js'`
    const script = located(lines.join('\n'))
      .replaceAll(/runuser -u [\w-]+ -- /g, '')
      .replaceAll(`${repository}/bin/fleetctl`, cli)
    const preamble = `chown() { :; }\nfleetctl() { ${cli} "$@"; }\n`
    const env = { FLEETROOT_ENROLLMENT_PORT: String(portFor(8443)) }
    return (await succeed('bash', ['-euo', 'pipefail'], { input: preamble + script, env })).text
  }

  return {
    path,
    portFor,
    running: (unit) => running.get(unit)!,
    follow: async (block) => {
      let output = ''
      let lines: string[] = []
      for (const line of block.split('\n')) {
        const [, verb, unit] =
          /^systemctl (enable --now|start|stop|restart) (fleetroot-[\w-]+)$/.exec(line) ?? []
        if (verb === undefined) {
          lines.push(line)
          continue
        }
        output += await shell(lines)
        lines = []
        if (verb === 'stop' || verb === 'restart') await stop(unit as Unit)
        if (verb !== 'stop') await start(unit as Unit)
      }
      return output + (await shell(lines))
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running.values()].map((process) => process.stop('SIGKILL')))
      folder[Symbol.dispose]()
    },
  }
}
