import assert from 'node:assert'
import { createLogger } from '@fleetroot/service'
import { temporaryFolder } from '@fleetroot/harness'
// @ts-expect-error: it has no typings
import abstractSuite from 'aedes-persistence/abstract.js'
import { afterAll, describe, expect, test } from 'vitest'
import { openStore } from './open-store.ts'
import { StorePersistence } from './persistence.ts'
import { Store } from './store.ts'
import type { StoredSession } from './stored-session.ts'

/** What aedes-persistence's tests use of a `node:test` context. */
interface Context {
  readonly assert: object
  plan(count: number): void
  diagnostic(text: string): void
}

interface Suite {
  test(name: string, run: (context: Context) => Promise<void>): void
  persistence(): Promise<StorePersistence>
  testAsync: true
}

const suite = abstractSuite as (options: Suite) => void
const log = createLogger({ name: 'broker', level: 'silent' })
const folder = temporaryFolder()
let count = 0

afterAll(() => folder[Symbol.dispose]())

const stores: Record<string, () => Promise<Store>> = {
  'in memory': async () => new Store({ log, now: Date.now }),
  'on disk': async () => {
    const directories = [`${folder.path}/${count++}`]
    return (await openStore({ directories, log, now: Date.now })).store
  },
}

for (const [name, open] of Object.entries(stores)) {
  describe(`the store ${name} passes the tests that aedes has for one:`, () => {
    suite({
      testAsync: true,
      persistence: async () => {
        const store = await open()
        const heldBy = ({ id }: { id: string }): StoredSession => store.session(id)
        return new StorePersistence(store, () => undefined, heldBy)
      },
      test: (title, run) =>
        test(title, async () => {
          const context = { assert, plan: () => undefined, diagnostic: () => undefined }
          await expect(run(context)).resolves.toBeUndefined()
        }),
    })
  })
}
