import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createCsr, generateKeyPair, parseCertificate } from '@fleetroot/pki'
import type { Defaults } from '@oazapfts/runtime'
import { generateSource } from 'oazapfts'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Identity } from '../testing/request.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

/** What a public generator makes of the document, as far as it is used here. */
interface Client {
  readonly defaults: Defaults<Record<string, string>>
  registerDevice(body: object): Promise<Response>
  makeToken(id: string, body: object): Promise<Response>
  enroll(body: object, options: object): Promise<Response>
  getDevice(id: string): Promise<Response>
}
interface Response {
  readonly status: number
  readonly data: Record<string, unknown>
}

let testbed: Testbed
let folder: string
let client: Client
let identity: Identity | undefined
beforeAll(async () => {
  testbed = await openTestbed()
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-client-'))
  await writeFile(join(folder, 'openapi.json'), (await testbed.request('/v1/openapi.json')).body)
  const source = await generateSource(join(folder, 'openapi.json'))
  // The client is made outside of the workspace, where its runtime is not found by name.
  const runnable = source.replaceAll(/"(@oazapfts\/runtime[^"]*)"/g, (_, name: string) => {
    return JSON.stringify(import.meta.resolve(name))
  })
  await writeFile(join(folder, 'client.ts'), runnable)
  client = (await import(pathToFileURL(join(folder, 'client.ts')).href)) as Client
  // All that the environment adds: TLS with this root, and with the certificate of the operator.
  client.defaults.baseUrl = `https://localhost:${testbed.port}`
  client.defaults.fetch = async (url, init) => {
    const { status, headers, body } = await testbed.request(new URL(url as string).pathname, {
      method: init?.method ?? 'GET',
      headers: Object.fromEntries(new Headers(init?.headers)),
      ...(typeof init?.body === 'string' && { body: init.body }),
      ...(identity && { identity }),
    })
    return new globalThis.Response(body, {
      status,
      headers: { 'content-type': headers['content-type'] ?? '' },
    })
  }
})
afterAll(async () => {
  await testbed.close()
  await rm(folder, { recursive: true })
})

it('a client that a public generator makes of the document enrolls a device', async () => {
  identity = testbed.operator
  expect((await client.registerDevice({ id: 'pump-7', labels: { site: 'north' } })).status).toBe(201)
  const { token } = (await client.makeToken('pump-7', {})).data as { token: string }

  identity = undefined
  const { privateKey } = generateKeyPair('P-256')
  const csr = createCsr({ privateKey, commonName: 'pump-7' }).toString('base64')
  const enrolled = await client.enroll({ csr }, { headers: { authorization: `Bearer ${token}` } })
  expect(enrolled.status).toBe(201)
  const certificate = parseCertificate(enrolled.data['certificate'] as string)
  expect(certificate.serial).toBe(enrolled.data['serial'])

  identity = testbed.operator
  expect((await client.getDevice('pump-7')).data).toMatchObject({ state: 'enrolled' })
  const refused = await client.registerDevice({ id: 'pump-7' })
  expect([refused.status, refused.data['code']]).toEqual([409, 'device-exists'])
})
