import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { csrFor, restEnroll } from '../testing/enroll.ts'
import { openTestbed, type Testbed } from '../testing/testbed.ts'

let testbed: Testbed
beforeEach(async () => {
  testbed = await openTestbed()
})
afterEach(() => testbed.close())

/** Changes the schema of the live registry from a connection of its own. */
function alter(sql: string): void {
  const database = new DatabaseSync(testbed.file('registry.db'), { timeout: 10_000 })
  database.exec(sql)
  database.close()
}

const deviceOf = async (id: string) =>
  (await testbed.request(`/v1/devices/${id}`, { identity: testbed.operator })).json

// What a full disk or a broken one does, without one: real SQLite, which fails where it is told to.
describe.each([
  [
    'whose COMMIT fails',
    `CREATE TABLE pledges (device TEXT REFERENCES devices (id) DEFERRABLE INITIALLY DEFERRED) STRICT;
     CREATE TRIGGER failure AFTER INSERT ON certificates BEGIN INSERT INTO pledges VALUES ('nobody'); END`,
  ],
  [
    'that SQLite rolls back in the middle',
    `CREATE TRIGGER failure AFTER INSERT ON certificates BEGIN SELECT RAISE(ROLLBACK, 'disk full'); END`,
  ],
])('a transaction %s', (_what, failure) => {
  it('is answered with registry-unavailable, and nothing of it is done', async () => {
    const token = await testbed.token('pump-7')
    const csr = csrFor('pump-7')
    alter(failure)
    const failed = await restEnroll(testbed, token, csr)
    expect(failed).toMatchObject({ status: 503, json: { code: 'registry-unavailable' } })
    expect(failed.headers['retry-after']).toBeDefined()
    expect(failed.body).not.toContain('BEGIN CERTIFICATE')
    expect(await deviceOf('pump-7')).toMatchObject({ state: 'registered' })
    expect(await deviceOf('pump-7')).not.toHaveProperty('certificate')

    alter('DROP TRIGGER failure')
    expect((await restEnroll(testbed, token, csr)).status).toBe(201)
    expect(await deviceOf('pump-7')).toMatchObject({ state: 'enrolled' })
  })

  it('fails all that shared it, and each of them can be asked again', async () => {
    const ids = Array.from({ length: 8 }, (_, n) => `pump-${n}`)
    const tokens = await Promise.all(ids.map((id) => testbed.token(id)))
    const enroll = () => Promise.all(ids.map((id, n) => restEnroll(testbed, tokens[n] ?? '', csrFor(id))))
    alter(failure)
    for (const { status } of await enroll()) expect(status).toBe(503)
    alter('DROP TRIGGER failure')
    for (const { status } of await enroll()) expect(status).toBe(201)
  })
})
