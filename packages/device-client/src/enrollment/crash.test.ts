import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, describe, expect, it } from 'vitest'

import { createEstClient } from '../est/client.ts'
import { openIdentityStore } from '../identity/store.ts'
import { createAuthority } from '../testing/authority.ts'
import { runChild } from '../testing/child.ts'
import { type EstResponder, startEstResponder } from '../testing/est-responder.ts'
import { enrollDevice } from './enroll-device.ts'

let directory: string
let server: EstResponder
let trustFile: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'device-client-crash-'))
  server = await startEstResponder(await createAuthority())
  trustFile = join(directory, 'root.crt')
  await writeFile(trustFile, server.authority.root.pem)
})

afterAll(async () => {
  await server.close()
  await rm(directory, { recursive: true })
})

describe('an enrollment that is killed (SIGKILL)', () => {
  it('before any step on disk or network is finished by the next run with one key and one certificate', async () => {
    let killed = 0
    for (let step = 1; ; step += 1) {
      const [id, token] = [`dev-${step}`, `token-${step}`]
      const store = openIdentityStore(join(directory, id))
      server.addToken(id, token)
      server.requests.length = 0
      const child = await runChild(
        'enroll-child.ts',
        [server.url, trustFile, store.directory, id, token],
        step,
      )
      if (child.signal !== 'SIGKILL') {
        // It ended by itself: every step was tried.
        expect(child).toMatchObject({ code: 0, stderr: '' })
        break
      }
      killed += 1

      const est = createEstClient({ url: server.url, trust: server.authority.trust })
      const { identity } = await enrollDevice({ id, est, store, credential: { token } })
      est.close()
      // The responder gives one certificate per token, and for the same CSR only.
      expect(new Set(server.requests).size, `different CSRs after step ${step}`).toBe(1)
      expect(await store.load()).toEqual(identity)
      expect(await readdir(store.directory)).toEqual(['identity.pem'])
    }
    // Keeping the request, storing the answer, forgetting the request: fewer steps would test nothing.
    expect(killed).toBeGreaterThan(20)
  }, 240_000)
})

describe('two processes on one store', () => {
  it('that enroll at once with one token end with the same certificate', async () => {
    const store = openIdentityStore(join(directory, 'shared'))
    server.addToken('shared', 'token-shared')
    const parameters = [server.url, trustFile, store.directory, 'shared', 'token-shared']
    const ends = await Promise.all(
      Array.from({ length: 3 }, async () => runChild('enroll-child.ts', parameters)),
    )
    const stored = await store.load()
    const expected = { code: 0, stderr: '', stdout: stored?.certificate.fingerprint256 }
    expect(ends).toMatchObject([expected, expected, expected])
    expect(await readdir(store.directory)).toEqual(['identity.pem'])
  })
})
