import { copyFileSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import {
  type App,
  type AppName,
  freePort,
  type Operator,
  operator,
  shellBlocks,
  startApp,
  temporaryFolder,
} from '@fleetroot/harness'
import { createCsr, generateKeyPair, toPem } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'

// Backup and restore of both servers by the commands of docs/operations.md as they stand there; only the directories are
// those of this test, and what systemd does is done by it.

const blocks = shellBlocks('docs/operations.md')
const blockWith = (text: string): string => {
  const found = blocks.filter((block) => block.includes(text))
  expect(found).toHaveLength(1)
  return found[0]!
}

judgedBy(['sqlite3'], 'backup and restore', () => {
  let folder: ReturnType<typeof temporaryFolder>
  let admin: Operator
  let servers: Record<'enrollment-server' | 'broker', App>
  let start: (name: 'enrollment-server' | 'broker') => Promise<App>
  let ports: Record<string, string>
  const path = (name: string): string => join(folder.path, name)
  const url = (): string => `https://127.0.0.1:${ports['FLEETROOT_ENROLLMENT_PORT']}`

  beforeAll(async () => {
    folder = temporaryFolder()
    mkdirSync(path('lib'))
    ports = {
      FLEETROOT_ENROLLMENT_PORT: String(await freePort()),
      FLEETROOT_ENROLLMENT_HTTP_PORT: String(await freePort()),
      FLEETROOT_BROKER_PORT: String(await freePort()),
      FLEETROOT_BROKER_METRICS_PORT: String(await freePort()),
      FLEETROOT_LOG_LEVEL: 'info',
    }
    start = async (name: AppName) => {
      const args = name === 'broker' ? ['--revocation-poll=1s'] : []
      const app = startApp(name, args, {
        ...ports,
        FLEETROOT_DATA: path(`lib/fleetroot-${name === 'broker' ? name : 'enrollment'}`),
        FLEETROOT_TRUST_FILE: path('root.crt'),
        FLEETROOT_BROKER_BOOTSTRAP_TOKEN_FILE: path('broker.token'),
      })
      await app.ready()
      return app
    }
    const server = await start('enrollment-server')
    // What the broker is given of the other data directory, and all that it sees of it.
    copyFileSync(path('lib/fleetroot-enrollment/public/root.crt'), path('root.crt'))
    copyFileSync(path('lib/fleetroot-enrollment/bootstrap/broker.token'), path('broker.token'))
    servers = { 'enrollment-server': server, broker: await start('broker') }
    admin = operator(path('lib/fleetroot-enrollment'), url())
  })
  afterAll(async () => {
    admin.close()
    await Promise.all(Object.values(servers).map((app) => app.stop('SIGKILL')))
    folder[Symbol.dispose]()
  })

  /** Runs a block line by line; `systemctl` is this test, and there are no other users. */
  async function follow(block: string): Promise<string> {
    let output = ''
    const lines = block
      .replaceAll('/var/lib/', `${path('lib')}/`)
      .replaceAll('/var/backups/', `${path('backups')}/`)
      .split('\n')
    let script = ''
    const flush = async (): Promise<void> => {
      output += (await succeed('bash', ['-euo', 'pipefail'], { input: `chown() { :; }\n${script}` })).text
      script = ''
    }
    for (const line of lines) {
      const [, verb, unit] = /^systemctl (start|stop) fleetroot-(broker|enrollment-server)$/.exec(line) ?? []
      if (verb === undefined) {
        script += `${line}\n`
        continue
      }
      await flush()
      const name = unit as 'broker' | 'enrollment-server'
      if (verb === 'start') servers[name] = await start(name)
      else expect(await servers[name].stop()).toEqual({ status: 0, signal: null })
    }
    await flush()
    return output
  }

  async function enroll(id: string): Promise<void> {
    const token = await admin.token(id)
    const { privateKey } = generateKeyPair('P-256')
    const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
    const bearer = { authorization: `Bearer ${token}` }
    expect((await admin.call('POST', '/v1/enrollments', { csr }, bearer)).status).toBe(201)
  }

  const stateOf = async (id: string): Promise<unknown> => {
    const { status, body } = await admin.call('GET', `/v1/devices/${id}`)
    return status === 200 ? (body as { state: string }).state : status
  }

  test('the enrollment server, copied while it works, is what it was; and the brokers follow once they are told to', async () => {
    for (const id of ['kept', 'revoked-1', 'revoked-2', 'revoked-3']) await enroll(id)
    const enough = new AbortController()
    const work = (async () => {
      for (let i = 0; !enough.signal.aborted; i++) await admin.token(`meanwhile-${i}`)
    })()
    const copied = await follow(blockWith('sqlite3 /var/lib'))
    enough.abort()
    await work
    expect(copied.trim()).toBe('ok')

    await admin.token('later')
    for (const [index, id] of ['revoked-1', 'revoked-2', 'revoked-3'].entries()) {
      expect((await admin.call('POST', `/v1/devices/${id}/revoke`, {})).status).toBe(200)
      await servers.broker.waitFor(new RegExp(`"list":"devices","number":"\\d+","entries":${index + 1}`))
    }
    const since = servers.broker.output().length
    admin.close()
    await follow(blockWith('mv /var/lib/fleetroot-enrollment'))
    admin = operator(path('lib/fleetroot-enrollment'), url())
    expect(await stateOf('kept')).toBe('enrolled')
    // What the document warns of.
    expect(await stateOf('revoked-1')).toBe('enrolled')
    expect(await stateOf('later')).toBe(404)
    expect(await stateOf('meanwhile-0')).toBe('registered')
    const fleetctl = join(import.meta.dirname, '../../../fleetctl/bin/fleetctl.js')
    const audit = await run(process.execPath, [fleetctl, 'audit', 'verify', '--url', url()], {
      env: { FLEETROOT_DATA: path('lib/fleetroot-enrollment') },
    })
    expect(audit.status, audit.text).toBe(0)

    await servers.broker.waitFor(/list-older/, since)
    await follow(blockWith('rm -r /var/lib/fleetroot-broker/broker/revocation'))
    const ready = await fetch(`http://127.0.0.1:${ports['FLEETROOT_BROKER_METRICS_PORT']}/readyz`)
    expect(ready.status).toBe(200)
  })

  test('the store of the broker is copied while it is stopped', async () => {
    mkdirSync(path('backups'), { recursive: true })
    await follow(blockWith('/broker/store'))
    const port = ports['FLEETROOT_BROKER_PORT']!
    expect(existsSync(path(`backups/fleetroot-broker-store/${port}/CURRENT`))).toBe(true)
  })
})
