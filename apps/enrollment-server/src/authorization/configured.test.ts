import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { configuredAuthorization } from './configured.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fleetroot-secret-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function file(content: string, mode = 0o600): Promise<string> {
  const path = join(folder, `${Math.random()}`)
  await writeFile(path, content)
  await chmod(path, mode)
  return path
}

const good = `whsec_${Buffer.alloc(32, 7).toString('base64')}\n`
const none = {
  authorizationUrl: undefined,
  authorizationSecretFile: undefined,
  authorizationTrustFile: undefined,
}
const url = { ...none, authorizationUrl: 'https://authorization.example/' }
const opened = (config: typeof none | object) =>
  configuredAuthorization({ ...none, ...config }, () => new Date())

it('without a URL nobody is asked', () => {
  expect(opened({})).toBeUndefined()
})

it('a secret without a URL is a mistake, not a silent yes', async () => {
  const authorizationSecretFile = await file(good)
  expect(() => opened({ authorizationSecretFile })).toThrow(/^authorizationUrl: is missing/)
})

it('a URL needs a secret', () => {
  expect(() => opened(url)).toThrow(/^authorizationSecretFile: is needed/)
})

it.each([
  ['others may read', good, 0o640, /may be read by others; chmod 600 it$/],
  ['is empty', '\n', 0o600, /is empty/],
  ['holds a password', 'hunter2\n', 0o600, /line 1 must be whsec_ and the base64 of 24 to 64 octets$/],
  ['holds a short secret', `${good}whsec_AAAA\n`, 0o600, /line 2 must be whsec_/],
])('a file that %s is refused, and nothing of it is shown', async (_what, content, mode, message) => {
  const authorizationSecretFile = await file(content, mode)
  expect(() => opened({ ...url, authorizationSecretFile })).toThrow(message)
})

it('a file that is not there, and trust that is none, are refused', async () => {
  expect(() => opened({ ...url, authorizationSecretFile: join(folder, 'none') })).toThrow(/cannot be read/)
  const files = { authorizationSecretFile: await file(good), authorizationTrustFile: await file('no PEM') }
  expect(() => opened({ ...url, ...files })).toThrow(/^authorizationTrustFile: .* cannot be used/)
})

it('two secrets are two signatures, so that one can be replaced', async () => {
  const authorizationSecretFile = await file(good + good)
  const service = opened({ ...url, authorizationSecretFile })
  expect(service).toBeDefined()
  service?.close()
})
