import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, startApp, writeCaKeys } from '@fleetroot/harness'
import { parseCertificate } from '@fleetroot/pki'
import { type AuditRecord, verifyAuditChain } from '@fleetroot/service'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Bundle } from '../testing/authority.ts'
import { csrFor } from '../testing/enroll.ts'
import { subscribe } from '../testing/events.ts'
import { type Answer, createRequester, type Request } from '../testing/request.ts'

let data: string
const processes: App[] = []
const clients: { close(): void }[] = []
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'fleetroot-rotation-'))
  writeCaKeys(data)
})
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  for (const started of processes.splice(0)) await started.stop('SIGKILL')
  await rm(data, { recursive: true })
})

function start(): App {
  const started = startApp('enrollment-server', [], {
    FLEETROOT_DATA: data,
    FLEETROOT_LOG_LEVEL: 'info',
  })
  processes.push(started)
  return started
}

async function clientOf(server: App) {
  const port = Number(new URL(await server.ready()).port)
  const read = (file: string): Promise<string> => readFile(join(data, file), 'utf8')
  const root = await read('public/root.crt')
  const identity = { cert: await read('operator/cert.pem'), key: await read('operator/key.pem') }
  const client = createRequester(port, root)
  clients.push(client)
  const ask = (path: string, options: Request = {}): Promise<Answer> =>
    client.request(path, { identity, ...options })
  return {
    port,
    root,
    identity,
    ask,
    rotate: (kind: string, introduceForSeconds = 600) =>
      ask('/v1/ca/rotations', { method: 'POST', json: { kind, introduceForSeconds } }),
    bundle: async () => (await ask('/v1/ca')).json as unknown as Bundle,
    audit: async () =>
      (await ask('/v1/audit/export')).body
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as AuditRecord),
    enroll: async (id: string): Promise<Answer> => {
      await ask('/v1/devices', { method: 'POST', json: { id } })
      const { json } = await ask(`/v1/devices/${id}/tokens`, { method: 'POST', json: {} })
      return client.request('/v1/enrollments', {
        method: 'POST',
        json: { csr: csrFor(id) },
        headers: { authorization: `Bearer ${String(json['token'])}` },
      })
    },
  }
}

describe('kill -9 during a rotation', () => {
  it(
    'leaves a server that starts, with every CA or none of it, and each change in the audit once',
    { timeout: 300_000 },
    async () => {
      // What is written, in its order; after the second the change has happened, though nobody was told.
      const steps: [kind: string, file: string, id: string][] = [
        ['devices', 'ca/devices-2.key', 'devices-2'],
        ['devices', 'ca/authorities.json', 'devices-2'],
        ['root', 'ca/root-2.key', 'root-2'],
        ['root', 'ca/authorities.json', 'root-2'],
        ['services', 'ca/services-2.crt', 'services-2'],
      ]
      let revision = 1
      await start().ready()
      for (const [kind, file, id] of steps) {
        const server = processes.at(-1)
        if (!server) throw new Error('a server was started')
        const client = await clientOf(server)
        const kinds = (await client.bundle()).authorities
        if (kinds.some((one) => one.kind === kind && one.state === 'introduced')) continue
        const seen = server.output().length
        const rotating = client.rotate(kind).catch(() => undefined)
        await server.waitFor(new RegExp(`[^]{${seen},}"file":"${file.replaceAll('.', '\\.')}".*"msg":"made"`))
        await server.stop('SIGKILL')
        await rotating

        const again = await clientOf(start())
        const { authorities } = await again.bundle()
        const isCommitted = authorities.some((one) => one.id === id)
        // A key alone is nothing yet; it may have been quicker than the kill.
        if (!file.endsWith('.key')) expect(isCommitted).toBe(true)
        if (isCommitted) revision += 1
        const records = await again.audit()
        expect(verifyAuditChain(records)).toMatchObject({ ok: true })
        const introduced = records.filter(({ record }) => record['type'] === 'authority-introduced')
        expect(introduced.map(({ record }) => record['revision'])).toEqual(
          Array.from({ length: revision - 1 }, (_, n) => n + 2),
        )
      }
      const last = processes.at(-1)
      if (!last) throw new Error('a server was started')
      expect((await (await clientOf(last)).enroll('after-all')).status).toBe(201)
    },
  )
})

describe('two servers on one data directory', () => {
  it('issue with the new CA and tell of it, whichever of them was asked to rotate', async () => {
    const [one, other] = await Promise.all([start(), start()].map(clientOf))
    if (!one || !other) throw new Error('two were started')
    const subscriber = await subscribe(other, other.identity)
    const answer = await one.rotate('devices', 0)
    expect(answer).toMatchObject({ status: 201, json: { id: 'devices-2', state: 'issuing' } })
    // The event that the other one sends comes with its own bundle being up to date.
    const events = await subscriber.take(2)
    subscriber.close()
    expect(events.at(-1)?.type).toBe('authorities')
    const { issuers } = await other.bundle()
    const [current] = issuers.devices
    const enrolled = await other.enroll('by-the-other')
    expect(parseCertificate(String(enrolled.json['certificate'])).authorityKeyId).toBe(
      parseCertificate(current ?? '').subjectKeyId,
    )
    expect((await other.ask('/crl/devices-2.crl')).status).toBe(200)
    const { record } =
      (await other.audit()).findLast(({ record }) => record['type'] === 'authority-activated') ?? {}
    expect(record).toMatchObject({ authority: 'devices-2', by: { kind: 'operator' } })
  })
})
