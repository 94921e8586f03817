import { createPublicKey } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import { join } from 'node:path'
import { createCsr, generateKeyPair, publicKeyFingerprint } from '@fleetroot/pki'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Session, startSession } from '../testing/session.ts'

let session: Session
beforeAll(async () => {
  session = await startSession(['--approvals', '--approval-retry=1s'])
})
afterAll(() => session[Symbol.asyncDispose]())

/** A device that asks; resolves to the SHA-256 of its key and the function that asks again. */
async function asking(id: string): Promise<{ key: string; ask: () => Promise<number> }> {
  const { privateKey } = generateKeyPair('P-256')
  const csr = createCsr({ privateKey, commonName: id }).toString('base64')
  const ca = readFileSync(join(session.data, 'public/root.crt'))
  const ask = async (): Promise<number> => {
    const headers = { 'content-type': 'application/json' }
    const outgoing = request(new URL('/v1/enrollments', session.url), {
      method: 'POST',
      ca,
      headers,
      agent: false,
    })
    outgoing.end(JSON.stringify({ csr }))
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
    response.resume()
    return response.statusCode ?? 0
  }
  expect(await ask()).toBe(202)
  return { key: publicKeyFingerprint(createPublicKey(privateKey)), ask }
}

test('devices that ask are listed, shown, approved with labels and denied', async () => {
  expect((await session.run(['approval', 'list'])).stdout).toBe('')
  const [good, bad] = [await asking('pump-1'), await asking('pump-2')]
  const { stdout } = await session.run(['approval', 'list'])
  expect(stdout).toMatch(new RegExp(`^pump-1\tpending\tdevice\t.*\t${good.key}$`, 'm'))
  expect((await session.run(['approval', 'get', good.key, '--json'])).json()).toMatchObject({
    deviceId: 'pump-1',
  })

  const approved = await session.run(['approval', 'approve', good.key, '--label', 'site=north', '--json'])
  expect(approved).toMatchObject({ status: 0 })
  expect(approved.json()).toMatchObject({ id: good.key, state: 'approved' })
  expect(await good.ask()).toBe(201)
  expect((await session.run(['device', 'get', 'pump-1'])).stdout).toContain('site=north')

  expect((await session.run(['approval', 'deny', bad.key])).stdout).toContain('state\tdenied')
  expect(await bad.ask()).toBe(403)
  expect((await session.run(['approval', 'list'])).stdout).toBe('')
  expect((await session.run(['approval', 'list', '--all'])).stdout).toMatch(/^pump-2\tdenied/m)
})

test('a part of an id is wrong usage, and one that nobody has is not known', async () => {
  expect(await session.run(['approval', 'approve', 'abcdef'])).toMatchObject({ status: 2 })
  expect(await session.run(['approval', 'approve', '0'.repeat(64)])).toMatchObject({
    status: 3,
    stderr: expect.stringContaining('(approval-unknown)') as string,
  })
})

test('a device is registered with its certificate from the factory', async () => {
  const { stdout } = await session.run(['device', 'add', 'pump-3', '--idevid', 'acme:SN 0003'])
  expect(stdout).toContain('factory\tacme:SN 0003')
  expect(await session.run(['device', 'add', 'pump-4', '--idevid', 'acme'])).toMatchObject({ status: 2 })
})
