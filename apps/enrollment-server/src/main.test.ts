import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type App, startApp, writeCaKeys } from '@fleetroot/harness'
import { generateKeyPair } from '@fleetroot/pki'
import { type AuditRecord, verifyAuditChain } from '@fleetroot/service'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { csrFor } from './testing/enroll.ts'
import { subscribe } from './testing/events.ts'
import { type Answer, createRequester, type Request } from './testing/request.ts'

let data: string
const processes: App[] = []
const clients: { close(): void }[] = []
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'fleetroot-process-'))
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  for (const started of processes.splice(0)) await started.stop('SIGKILL')
  await rm(data, { recursive: true })
})

function start(args: string[] = [], env: Record<string, string> = {}): App {
  const started = startApp('enrollment-server', args, { FLEETROOT_DATA: data, ...env })
  processes.push(started)
  return started
}

const killed = { status: null, signal: 'SIGKILL' }
const ended = (status: number) => ({ status, signal: null })

async function portOf(server: App): Promise<number> {
  return Number(new URL(await server.ready()).port)
}

/** A client that may be given the operator's identity. */
async function clientOf(server: App) {
  const port = await portOf(server)
  const read = (file: string): Promise<string> => readFile(join(data, file), 'utf8')
  const client = createRequester(port, await read('public/root.crt'))
  const operator = { cert: await read('operator/cert.pem'), key: await read('operator/key.pem') }
  clients.push(client)
  const asOperator = (path: string, options: Request = {}): Promise<Answer> =>
    client.request(path, { identity: operator, ...options })
  return {
    asOperator,
    operator,
    root: await read('public/root.crt'),
    enroll: (token: string, csr: string) =>
      client.request('/v1/enrollments', {
        method: 'POST',
        json: { csr },
        headers: { authorization: `Bearer ${token}` },
      }),
    token: async (id: string): Promise<string> => {
      await asOperator('/v1/devices', { method: 'POST', json: { id } })
      const answer = await asOperator(`/v1/devices/${id}/tokens`, { method: 'POST', json: {} })
      return String(answer.json['token'])
    },
  }
}

describe('the process', () => {
  it('says on first start what it made, then that it listens, and nothing on the second', async () => {
    const first = start()
    await first.ready()
    expect(first.output().split('\n')).toEqual([
      expect.stringMatching(
        /^enrollment-server: made in \S+: ca\/passphrase, ca\/root\.key, .*operator\/cert\.pem, bootstrap\/broker\.token, bootstrap\/simulator\.token$/,
      ),
      expect.stringMatching(/^enrollment-server: listening on https:/),
      '',
    ])
    expect(await first.stop('SIGTERM')).toEqual(ended(0))

    const second = start()
    await second.ready()
    expect(second.output()).toMatch(/^enrollment-server: listening on https:\/\/127\.0\.0\.1:\d+\n$/)
    expect(await second.stop('SIGINT')).toEqual(ended(0))
  })

  it('whose registry is gone says what that means', async () => {
    writeCaKeys(data)
    const first = start()
    await first.ready()
    await first.stop('SIGTERM')
    for (const name of await readdir(data)) if (name.startsWith('registry.db')) await rm(join(data, name))
    const second = start()
    await second.ready()
    expect(second.output()).toContain('no certificate that they issued before can be renewed')
  })

  it('killed at any point of its first start is complete after the next', async () => {
    const info = { FLEETROOT_LOG_LEVEL: 'info' }
    for (const file of [
      'ca/root.crt',
      'ca/services.key',
      'enrollment-server/key.pem',
      'bootstrap/broker.token',
    ]) {
      const server = start([], info)
      // Or, where the one before was killed a little late, when all is there.
      await server.waitFor(new RegExp(`"file":"${file}".*"msg":"made"|: listening on`))
      expect(await server.stop('SIGKILL')).toEqual(killed)
    }
    const client = await clientOf(start())
    for (const id of ['broker', 'simulator']) {
      const token = (await readFile(join(data, 'bootstrap', `${id}.token`), 'utf8')).trim()
      expect((await client.enroll(token, csrFor(id))).status).toBe(201)
    }
    expect((await client.asOperator('/v1/devices')).status).toBe(200)
  })

  it('stops while requests are open, after it has answered them', async () => {
    writeCaKeys(data)
    const server = start()
    const client = await clientOf(server)
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, n) => client.token(`open-${n}`)))
    // Neither a connection that is kept alive nor one that never finishes its handshake may hold it up.
    const silent = connect({ host: '127.0.0.1', port: await portOf(server) })
    await once(silent, 'connect')
    const answers = tokens.map((token, n) => client.enroll(token, csrFor(`open-${n}`)))
    await Promise.race(answers)
    const stopping = server.stop('SIGTERM')
    const settled = await Promise.allSettled(answers)
    expect(await stopping).toEqual(ended(0))
    silent.destroy()
    for (const one of settled) {
      // A request that was not yet accepted may find the door closed; one that was is answered.
      if (one.status === 'fulfilled') expect(one.value.status).toBe(201)
    }
  })
})

describe('kill -9 during 500 enrollments', () => {
  beforeEach(() => writeCaKeys(data))

  it('leaves a registry that knows every certificate a client holds, and lets every other client retry', async () => {
    const server = start()
    const client = await clientOf(server)
    const devices = await Promise.all(
      Array.from({ length: 500 }, async (_, n) => {
        const id = `device-${n}`
        const { privateKey } = generateKeyPair('P-256')
        return { id, token: await client.token(id), csr: csrFor(id, { privateKey }) }
      }),
    )

    const held = new Map<string, string>()
    let kill: Promise<unknown> | undefined
    await Promise.allSettled(
      devices.map(async ({ id, token, csr }) => {
        const answer = await client.enroll(token, csr)
        if (answer.status !== 201) throw new Error(answer.body)
        held.set(id, String(answer.json['certificate']))
        if (held.size === 100) kill = server.stop('SIGKILL')
      }),
    )
    expect(await kill).toEqual(killed)
    expect(held.size).toBeGreaterThanOrEqual(100)
    expect(held.size).toBeLessThan(500)

    const again = await clientOf(start())
    for (const { id, token, csr } of devices) {
      const { json: before } = await again.asOperator(`/v1/devices/${id}`)
      const retried = await again.enroll(token, csr)
      expect(retried.status).toBe(201)
      const certificate = held.get(id)
      // Who holds a certificate gets that one again; who was recorded but not answered gets what was recorded.
      if (certificate !== undefined) expect(retried.json['certificate']).toBe(certificate)
      const recorded = before['certificate'] as { serial: string } | undefined
      if (recorded) expect(retried.json['serial']).toBe(recorded.serial)
      if (certificate !== undefined) expect(recorded).toBeDefined()
      const { json } = await again.asOperator(`/v1/certificates/${String(retried.json['serial'])}`)
      expect(json['certificate']).toBe(retried.json['certificate'])
    }
  })
})

describe('a thread of the registry that dies', () => {
  beforeEach(() => writeCaKeys(data))

  // Loaded into every thread: the one that is asked about `doomed` ends.
  const deadly = `--import=data:text/javascript,${encodeURIComponent(
    `import { isMainThread, parentPort } from 'node:worker_threads'
     if (!isMainThread) parentPort.on('message', (message) => {
       if (JSON.stringify(message?.calls ?? '').includes('doomed')) process.exit(7)
     })`,
  )}`

  it.each([
    ['writes', { method: 'POST', json: { id: 'doomed' } }, '/v1/devices'],
    ['reads', {}, '/v1/devices/doomed'],
  ])(
    'the one that %s: the request fails with registry-unavailable, and the process stops and says why',
    async (_what, request, path) => {
      const server = start([], { NODE_OPTIONS: deadly })
      const { asOperator } = await clientOf(server)
      expect(await asOperator(path, request)).toMatchObject({
        status: 503,
        json: { code: 'registry-unavailable' },
      })
      expect(await server.exited).toEqual(ended(1))
      expect(server.output()).toMatch(
        /"level":"?(?:fatal|60).*the registry thread died.*"msg":"the registry is gone"/,
      )
    },
  )
})

describe('two servers on one data directory', () => {
  it('started at once make one hierarchy, and a token works once in both together', async () => {
    const servers = [start(), start()]
    const [one, other] = await Promise.all(servers.map(clientOf))
    if (!one || !other) throw new Error('two were started')
    const token = await one.token('shared')
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) => (n % 2 ? one : other).enroll(token, csrFor('shared'))),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    const serial = answers.find(({ status }) => status === 201)?.json['serial']
    for (const { asOperator } of [one, other]) {
      expect((await asOperator('/v1/devices/shared')).json['certificate']).toMatchObject({ serial })
    }
  })

  it('tell of each other’s revocations, refuse by them, and never use a CRL number twice', async () => {
    writeCaKeys(data)
    const servers = [start(), start()]
    const [one, other] = await Promise.all(servers.map(clientOf))
    const port = servers[1] && (await portOf(servers[1]))
    if (!one || !other || port === undefined) throw new Error('two were started')
    await one.enroll(await one.token('shared'), csrFor('shared'))
    const subscriber = await subscribe({ port, root: other.root }, other.operator)
    await one.asOperator('/v1/devices/shared/suspend', { method: 'POST' })
    const [event] = await subscriber.take(1)
    subscriber.close()
    expect(event).toMatchObject({ type: 'suspended', data: { deviceId: 'shared' } })
    const numbers = new Set<string>()
    for (const { asOperator } of [one, other]) {
      let list: Answer
      do list = await asOperator('/crl/devices.crl')
      while (Number(list.headers['fleetroot-event-id']) < (event?.id ?? 0))
      numbers.add(String(list.headers.etag))
    }
    expect(numbers.size).toBe(2)
    expect((await other.asOperator('/v1/devices/shared')).json['state']).toBe('suspended')
    const lines = (await other.asOperator('/v1/audit/export')).body.split('\n').slice(0, -1)
    expect(verifyAuditChain(lines.map((line) => JSON.parse(line) as AuditRecord))).toMatchObject({ ok: true })
  })
})

describe('kill -9 during 200 revocations', () => {
  beforeEach(() => writeCaKeys(data))

  it('leaves each revoked with its event and audit record, or not revoked at all, and CRL numbers grow', async () => {
    const server = start()
    const client = await clientOf(server)
    const ids = Array.from({ length: 200 }, (_, n) => `device-${n}`)
    const serials = new Map<string, string>()
    for (const id of ids) {
      const { json } = await client.enroll(await client.token(id), csrFor(id))
      serials.set(id, String(json['serial']))
    }
    const numberOf = async (asOperator: (path: string) => Promise<Answer>): Promise<bigint> => {
      const { headers } = await asOperator('/crl/devices.crl')
      return BigInt(String(headers.etag).replaceAll('"', ''))
    }
    const answered = new Set<string>()
    let kill: Promise<unknown> | undefined
    await Promise.allSettled(
      ids.map(async (id) => {
        const { status } = await client.asOperator(`/v1/devices/${id}/retire`, { method: 'POST' })
        if (status === 200) answered.add(id)
        if (answered.size === 50) kill = server.stop('SIGKILL')
      }),
    )
    expect(await kill).toEqual(killed)
    const database = new DatabaseSync(join(data, 'registry.db'))
    const number = BigInt(
      database.prepare("SELECT number FROM crls WHERE issuer = 'devices'").get()?.['number'] as number,
    )
    database.close()

    const { asOperator } = await clientOf(start())
    expect(await numberOf(asOperator)).toBeGreaterThan(number)
    const lines = (await asOperator('/v1/audit/export')).body.split('\n').slice(0, -1)
    const records = lines.map((line) => JSON.parse(line) as AuditRecord)
    expect(verifyAuditChain(records)).toMatchObject({ ok: true })
    const audited = new Set(
      records.filter(({ record }) => record['type'] === 'retired').map(({ record }) => record['deviceId']),
    )
    for (const id of ids) {
      const { json: device } = await asOperator(`/v1/devices/${id}`)
      const { json } = await asOperator(`/v1/certificates/${serials.get(id) ?? ''}`)
      const isRetired = device['state'] === 'retired'
      expect(json['status']).toBe(isRetired ? 'revoked' : 'issued')
      expect(audited.has(id)).toBe(isRetired)
      if (answered.has(id)) expect(isRetired).toBe(true)
    }
  })
})

describe('a start that cannot work ends with one sentence', () => {
  it('when the port is taken', async () => {
    const squatter = createServer()
    squatter.listen(0, '127.0.0.1')
    await once(squatter, 'listening')
    const { port } = squatter.address() as { port: number }
    const failed = start([`--port=${port}`])
    expect(await failed.exited).toEqual(ended(1))
    const sentences = failed
      .output()
      .split('\n')
      .filter((line) => !line.includes(': made in '))
    expect(sentences).toEqual([
      expect.stringMatching(
        new RegExp(
          `^enrollment-server: cannot listen on 127\\.0\\.0\\.1:${port}: .*--port or FLEETROOT_ENROLLMENT_PORT`,
        ),
      ),
      '',
    ])
    squatter.close()
  })

  it.each([
    [['--prot=1'], 2, /unknown flag --prot|--port/],
    [['--port=99999'], 2, /whole number from 0 to 65535/],
    [['--token-lifetime=5'], 2, /has no unit/],
    [['--public-url=https://x'], 2, /must be an http URL/],
    [['--data=/dev/null/nothing'], 1, /cannot use data directory/],
  ])('for %s', async (args, status, sentence) => {
    const failed = start(args)
    expect(await failed.exited).toEqual(ended(status))
    expect(failed.output()).toMatch(sentence)
    expect(failed.output().trimEnd().split('\n')).toHaveLength(1)
  })

  it('when the passphrase does not open the keys', async () => {
    const first = start()
    await first.ready()
    await first.stop('SIGTERM')
    const failed = start([], { FLEETROOT_CA_PASSPHRASE: 'not the passphrase' })
    expect(await failed.exited).toEqual(ended(1))
    expect(failed.output()).toMatch(/^enrollment-server: .*ca\/devices\.key does not open: [^\n]+\n$/)
    expect(failed.output()).not.toContain('not the passphrase')
  })
})

describe('--help', () => {
  it('names every setting with its variable and default', async () => {
    const help = start(['--help'])
    expect(await help.exited).toEqual(ended(0))
    for (const text of [
      '--port',
      'FLEETROOT_ENROLLMENT_PORT',
      '8443',
      '--server-names',
      '--trust-domain',
      '--rate-limit',
    ]) {
      expect(help.output()).toContain(text)
    }
  })
})
