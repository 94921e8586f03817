import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type App, startApp, writeCaKeys } from '@fleetroot/harness'
import { type AuditRecord, verifyAuditChain } from '@fleetroot/service'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { certificateIn, csrFor } from '../testing/enroll.ts'
import { type Answer, createRequester, type Identity } from '../testing/request.ts'

let data: string
let server: App
let client: ReturnType<typeof createRequester>
let operator: Identity
beforeEach(async () => {
  data = await mkdtemp(join(tmpdir(), 'fleetroot-approval-'))
  writeCaKeys(data)
  await start()
})
afterEach(async () => {
  client.close()
  await server.stop('SIGKILL')
  await rm(data, { recursive: true })
})

async function start(): Promise<void> {
  server = startApp('enrollment-server', ['--approvals', '--approval-retry=1s'], { FLEETROOT_DATA: data })
  const port = Number(new URL(await server.ready()).port)
  const read = (file: string): Promise<string> => readFile(join(data, file), 'utf8')
  client = createRequester(port, await read('public/root.crt'))
  operator = { cert: await read('operator/cert.pem'), key: await read('operator/key.pem') }
}

/** Kills it with what it is doing, and starts another on what is left. */
async function killAndStart(): Promise<void> {
  await server.stop('SIGKILL')
  client.close()
  await start()
}

it(
  'an approval, and what was said of it, outlives kill -9, before its certificate is fetched and while it is',
  { timeout: 120_000 },
  async () => {
    const csr = csrFor('pump-7')
    const ask = (): Promise<Answer> =>
      client.request('/.well-known/est/simpleenroll', {
        method: 'POST',
        headers: { 'content-type': 'application/pkcs10' },
        body: csr,
      })
    expect((await ask()).status).toBe(202)
    await killAndStart()
    const { json } = await client.request('/v1/approvals', { identity: operator })
    const [waiting] = json['items'] as { id: string; deviceId: string }[]
    expect(waiting?.deviceId).toBe('pump-7')
    const path = `/v1/approvals/${waiting?.id}/approve`
    expect((await client.request(path, { method: 'POST', json: {}, identity: operator })).status).toBe(200)
    await killAndStart()
    // The answer to this one is lost: whether it was issued or not, there is one certificate in the end.
    await Promise.allSettled([ask(), server.stop('SIGKILL')])
    client.close()
    await start()
    const { serial, publicKeyFingerprint } = certificateIn(await ask())
    expect(publicKeyFingerprint).toBe(waiting?.id)
    await killAndStart()
    expect(certificateIn(await ask()).serial).toBe(serial)
    const { body } = await client.request('/v1/audit/export', { identity: operator })
    const records = body
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as AuditRecord)
    expect(verifyAuditChain(records)).toMatchObject({ ok: true })
    const types = records
      .filter(({ record }) => record['publicKey'] === waiting?.id)
      .map(({ record }) => record['type'])
    expect(types).toEqual(['approval-asked', 'approval-approved', 'issued'])
  },
)
