import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Operator, operator, shellBlocks } from '@fleetroot/harness'
import { createCsr, generateKeyPair, toPem } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run } from '../run.ts'
import { openSite, type Site } from './site.ts'

// docs/operations.md from the first start to the restored backup, by its commands as they stand there, with the units and
// the configuration of deploy/. What installs packages, and what systemd does, is left out.

const blocks = shellBlocks('docs/operations.md')
const data = '/var/lib/fleetroot-enrollment'
const repository = join(import.meta.dirname, '../../../..')

/** The one block that has this text. */
function blockWith(text: string): string {
  const [block, ...others] = blocks.filter((candidate) => candidate.includes(text))
  expect(others).toEqual([])
  expect(block, text).toBeDefined()
  return block!
}

judgedBy(['curl', 'openssl', 'sqlite3'], 'an operator who follows docs/operations.md', () => {
  let site: Site
  let admin: Operator
  const connectAdmin = (): void => {
    admin = operator(site.path(data), `https://localhost:${site.portFor(8443)}`)
  }
  beforeAll(async () => {
    site = await openSite()
    // A minute is long for a test.
    appendFileSync(site.path('/etc/fleetroot/broker.yaml'), 'revocationPoll: 1s\n')
  })
  afterAll(async () => {
    admin?.close()
    await site[Symbol.asyncDispose]()
  })

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

  test('has an enrollment server whose CA keys open with a passphrase that is not beside them', async () => {
    expect(await site.follow(blockWith('enable --now fleetroot-enrollment-server'))).toContain('"ready"')
    expect(existsSync(site.path(`${data}/ca/passphrase`))).toBe(false)
    connectAdmin()
  })

  test('takes the root key off the machine', async () => {
    expect(await site.follow(blockWith('ca export-root'))).toMatch(/root\.key/)
    expect(existsSync(site.path(`${data}/ca/root.key`))).toBe(false)
  })

  test('has a broker that needs three things, and one of them once', async () => {
    expect(await site.follow(blockWith('enable --now fleetroot-broker'))).toContain('"ready"')
    expect(existsSync(site.path('/etc/credstore/fleetroot.broker-token'))).toBe(false)
    await site.follow('systemctl restart fleetroot-broker')
  })

  test('has a container file whose programs are there, and whose health is that of /readyz', async () => {
    const text = readFileSync(join(repository, 'deploy/container/Containerfile'), 'utf8')
    const started = [...text.matchAll(/"node", "([^"]+)"/g)].map(([, file = '']) => file)
    expect(started).toHaveLength(4)
    expect(started.filter((file) => !existsSync(join(repository, file)))).toEqual([])
    const healthy = join(repository, 'deploy/container/healthy.js')
    const ask = (port: number): ReturnType<typeof run> => run(process.execPath, [healthy, String(port)])
    expect((await ask(site.portFor(9465))).status).toBe(0)
    await site.follow('systemctl stop fleetroot-broker')
    expect((await ask(site.portFor(9465))).status).toBe(1)
    await site.follow('systemctl start fleetroot-broker')
  })

  test('registers the first device', async () => {
    expect(await site.follow(blockWith('fleetctl device add pump-7'))).toMatch(
      /pump-7[^]*the audit .* is whole/,
    )
  })

  test('asks the broker, on the machine and from elsewhere', async () => {
    const onMachine = blockWith('curl -s http://127.0.0.1:9465/v1/sessions').replace(/^.*DELETE.*\n/m, '')
    expect(await site.follow(onMachine)).toMatch(/"items":\[\].*"allowed":true/s)
    const elsewhere = blockWith('--cert operator.crt')
      .replace('root.crt', site.path(`${data}/public/root.crt`))
      .replace('operator.crt', site.path(`${data}/operator/cert.pem`))
      .replace('operator.key', site.path(`${data}/operator/key.pem`))
      // The name of the broker in its certificate, at the address of this test.
      .replace(
        'https://broker.example:8886',
        `--resolve broker.fleet.example:${site.portFor(8886)}:127.0.0.1 https://broker.fleet.example:${site.portFor(8886)}`,
      )
    expect(await site.follow(elsewhere)).toBe('{"items":[]}')
  })

  test('copies the enrollment server while it works, restores it, and has the brokers follow', async () => {
    for (const id of ['kept', 'revoked-1', 'revoked-2', 'revoked-3']) await enroll(id)
    const enough = new AbortController()
    // The copy has the first one in any case.
    await admin.token('meanwhile-0')
    const work = (async () => {
      for (let i = 1; !enough.signal.aborted; i++) await admin.token(`meanwhile-${i}`)
    })()
    const copied = await site.follow(blockWith('sqlite3 /var/lib'))
    enough.abort()
    await work
    expect(copied.trim()).toBe('ok')

    await admin.token('later')
    const broker = site.running('fleetroot-broker')
    for (const [index, id] of ['revoked-1', 'revoked-2', 'revoked-3'].entries()) {
      expect((await admin.call('POST', `/v1/devices/${id}/revoke`, {})).status).toBe(200)
      await broker.waitFor(new RegExp(`"list":"devices","number":"\\d+","entries":${index + 1}`))
    }
    const since = broker.output().length
    admin.close()
    await site.follow(blockWith('mv /var/lib/fleetroot-enrollment'))
    connectAdmin()
    expect(await stateOf('kept')).toBe('enrolled')
    // What the document warns of.
    expect(await stateOf('revoked-1')).toBe('enrolled')
    expect(await stateOf('later')).toBe(404)
    expect(await stateOf('meanwhile-0')).toBe('registered')
    const audit = `export FLEETROOT_DATA=${data}\nfleetctl audit verify`
    expect(await site.follow(audit)).toContain('is whole')

    await broker.waitFor(/list-older/, since)
    await site.follow(blockWith('rm -r /var/lib/fleetroot-broker/broker/revocation'))
    expect(await site.follow('curl --silent --fail http://127.0.0.1:9465/readyz')).toContain('"ready"')
  })

  test('copies the store of the broker while it is stopped', async () => {
    await site.follow(blockWith('/broker/store'))
    const current = `/var/backups/fleetroot-broker-store/${site.portFor(8883)}/CURRENT`
    expect(readFileSync(site.path(current), 'utf8')).toContain('MANIFEST')
  })

  test('has no block of commands that nobody ran', () => {
    const ran = [
      'enable --now',
      'ca export-root',
      'device add pump-7',
      'curl -s',
      'sqlite3 /var/lib',
      'mv /var/lib',
      'rm -r',
      '/broker/store',
    ]
    const others = blocks.filter((block) => !ran.some((text) => block.includes(text)))
    // Packages, the installation, and the same again for an upgrade.
    expect(others.map((block) => block.split('\n')[0])).toEqual([
      'apt-get update',
      '/usr/src/fleetroot/deploy/install',
      '/usr/src/fleetroot/deploy/install',
    ])
  })
})
