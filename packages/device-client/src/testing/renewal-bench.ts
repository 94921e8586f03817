import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeAll, beforeEach } from 'vitest'

import { createEstClient, type EstClient } from '../est/client.ts'
import { type IdentityStore, openIdentityStore } from '../identity/store.ts'
import type { StoredIdentity } from '../identity/stored-identity.ts'
import { type Authority, createAuthority } from './authority.ts'
import { type EstResponder, startEstResponder } from './est-responder.ts'

/** What tests of a renewal share: a server, a store, and all closed after each test. */
export interface RenewalBench {
  authority: Authority
  directory: string
  store: IdentityStore
  server: EstResponder
  est: EstClient
  /** Stores an identity of dev-1 that was obtained so many days ago, of the 30 that it lives. */
  obtained(daysAgo: number): Promise<StoredIdentity>
  /** Lets the server refuse the next request, as EST does. */
  refuseNext(status: number, reason: string): void
}

/** To be called once, at the top of a test file. */
export function renewalBench(): RenewalBench {
  const bench: Partial<RenewalBench> & Pick<RenewalBench, 'obtained' | 'refuseNext'> = {
    async obtained(daysAgo) {
      const obtainedAt = new Date(Date.now() - daysAgo * 86_400_000)
      const leaf = await ready.authority.device('dev-1', { issuedAt: obtainedAt })
      await ready.store.save({ ...leaf, chain: [ready.authority.devices.certificate], obtainedAt })
      const stored = await ready.store.load()
      if (!stored) throw new Error('nothing stored')
      return stored
    },
    refuseNext(status, reason) {
      ready.server.instead.push((_, response) => {
        response.writeHead(status, { 'content-type': 'text/plain' }).end(reason)
      })
    },
  }

  beforeAll(async () => {
    bench.authority = await createAuthority()
  })

  beforeEach(async () => {
    const directory = await mkdtemp(join(tmpdir(), 'device-client-renewal-'))
    const server = await startEstResponder(ready.authority)
    const est = createEstClient({ url: server.url, trust: ready.authority.trust })
    Object.assign(bench, { directory, server, est, store: openIdentityStore(directory) })
  })

  afterEach(async () => {
    ready.est.close()
    await ready.server.close()
    await rm(ready.directory, { recursive: true })
  })

  // Filled before any test can read it.
  const ready = bench as RenewalBench
  return ready
}
