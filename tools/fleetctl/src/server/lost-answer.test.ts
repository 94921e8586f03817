import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession()
})
afterAll(() => session[Symbol.asyncDispose]())

/**
 * A way to the server on which the answer to each POST is lost the first time: the server has done what was asked, and the
 * connection ends. It has the key of the server, as nobody else could stand there.
 */
async function losingWay(): Promise<{ url: string; lost: string[]; [Symbol.asyncDispose](): Promise<void> }> {
  const read = (name: string): Buffer => readFileSync(join(session.data, name))
  const operator = { cert: read('operator/cert.pem'), key: read('operator/key.pem') }
  const lost: string[] = []
  const identity = { cert: read('enrollment-server/cert.pem'), key: read('enrollment-server/key.pem') }
  const server = createServer(identity, (incoming, response) => {
    const { method, url: path = '/', headers } = incoming
    const outgoing = request(
      new URL(path, session.url),
      { method, headers, agent: false, ca: read('public/root.crt'), ...operator },
      (answer) => {
        const body: Buffer[] = []
        answer.on('data', (chunk: Buffer) => body.push(chunk))
        answer.on('end', () => {
          if (method === 'POST' && !lost.includes(path)) {
            lost.push(path)
            incoming.socket.destroy()
          } else {
            response.writeHead(answer.statusCode ?? 502, answer.headers).end(Buffer.concat(body))
          }
        })
      },
    )
    incoming.pipe(outgoing)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `https://localhost:${(server.address() as AddressInfo).port}`,
    lost,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

const records = async (type: string, id: string): Promise<number> => {
  const { body } = await session.operator.call('GET', '/v1/audit?limit=1000')
  const { items } = body as { items: { record: { type: string; deviceId?: string } }[] }
  return items.filter(({ record }) => record.type === type && record.deviceId === id).length
}

test('what makes something makes it once, though its answer is lost on the way', async () => {
  await using way = await losingWay()
  const run = (...argv: string[]) => session.run([...argv, '--json', '--url', way.url])

  const added = await run('device', 'add', 'pump-1', '--label', 'site=north')
  expect([added.status, added.json()]).toEqual([0, expect.objectContaining({ id: 'pump-1' })])
  expect(await records('registered', 'pump-1')).toBe(1)

  const token = await run('token', 'create', 'pump-1')
  expect([token.status, token.json()]).toEqual([
    3,
    {
      error: expect.objectContaining({
        code: 'idempotent-answer-secret',
        message: expect.stringMatching(/^cannot make a token for pump-1: one was made, .* make another/),
      }),
    },
  ])
  expect(await records('token-made', 'pump-1')).toBe(1)
  expect((await run('token', 'create', 'pump-1')).status).toBe(0)

  const claim = ['line-1', '--batch', 'b', '--quota', '3', '--out', session.file('line-1')]
  const made = await run('claim', 'create', ...claim)
  expect([made.status, made.json()]).toEqual([0, expect.objectContaining({ id: 'line-1', state: 'usable' })])
  expect(await records('issued', 'line-1')).toBe(1)

  const rotated = await run('ca', 'rotate', 'issuing', 'devices', '--yes')
  expect([rotated.status, rotated.json()]).toEqual([0, expect.objectContaining({ id: 'devices-2' })])

  expect(way.lost).toEqual(['/v1/devices', '/v1/devices/pump-1/tokens', '/v1/claims', '/v1/ca/rotations'])
})
