import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type AuditHead, type AuditRecord, verifyAuditChain } from '@fleetroot/service'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { expectPublishing, startSystem, type System } from '@fleetroot/harness'

let system: System
/** The audit as it stands in the database, before anybody edited anything. */
let all: Row[]
/** Noted down before anybody edited anything. */
let head: AuditHead

beforeAll(async () => {
  system = await startSystem()
  for (const id of ['kept', 'lost']) await expectPublishing(await system.device(id))
  await system.change('/v1/devices/lost/revoke', { reason: 'keyCompromise' })
  // So that the revocation is not the end of the chain.
  await system.admin.token('later')
  head = ((await system.admin.call('GET', '/v1/audit?limit=1')).body as { head: AuditHead }).head
})
afterAll(() => system[Symbol.asyncDispose]())

/** The audit as an operator reads it, page by page. */
async function read(): Promise<AuditRecord[]> {
  const records: AuditRecord[] = []
  for (;;) {
    const after = records.at(-1)?.record.seq ?? 0
    const { body } = await system.admin.call('GET', `/v1/audit?limit=100&after=${after}`)
    const { items } = body as { items: AuditRecord[] }
    if (items.length === 0) return records
    records.push(...items)
  }
}

interface Row {
  seq: number
  record: string
  hash: string
}

/** Has the server killed, its database edited behind its back, and the server started again. */
async function edited(edit: (database: DatabaseSync, victim: Row) => void): Promise<AuditRecord[]> {
  await system.server.stop('SIGKILL')
  const database = new DatabaseSync(join(system.data, 'registry.db'))
  all ??= database.prepare('SELECT seq, record, hash FROM audit ORDER BY seq').all() as unknown as Row[]
  // As it was before the edit of another test.
  database.exec('DELETE FROM audit')
  const insert = database.prepare('INSERT INTO audit (seq, record, hash) VALUES (?, ?, ?)')
  for (const { seq, record, hash } of all) insert.run(seq, record, hash)
  const victim = all.find(({ record }) => record.includes('"type":"revoked"'))
  if (victim === undefined) throw new Error('no record of the revocation')
  edit(database, victim)
  database.close()
  await system.restartServer()
  return read()
}

describe('an audit that somebody edited', () => {
  test('is whole as long as nobody did, with the whole life of a device in it', async () => {
    const records = await read()
    expect(verifyAuditChain(records, { head })).toMatchObject({ ok: true })
    const of = records
      .filter(({ record }) => record['deviceId'] === 'lost')
      .map(({ record }) => record['type'])
    expect(of).toEqual(['registered', 'token-made', 'issued', 'revoked'])
  })

  test('names a record that was changed', async () => {
    let seq = 0
    const records = await edited((database, victim) => {
      seq = victim.seq
      const text = victim.record.replace('keyCompromise', 'superseded')
      database.prepare('UPDATE audit SET record = ? WHERE seq = ?').run(text, seq)
    })
    expect(verifyAuditChain(records)).toEqual({ ok: false, seq, problem: 'changed' })
  })

  test('names the place of a record that was removed', async () => {
    let seq = 0
    const records = await edited((database, victim) => {
      seq = victim.seq
      database.prepare('DELETE FROM audit WHERE seq = ?').run(seq)
    })
    expect(verifyAuditChain(records)).toEqual({ ok: false, seq, problem: 'out-of-order' })
  })

  test('names the first of two records that changed places', async () => {
    let seq = 0
    const records = await edited((database, victim) => {
      seq = victim.seq
      const move = database.prepare('UPDATE audit SET seq = ? WHERE seq = ?')
      move.run(-1, seq)
      move.run(seq, seq - 1)
      move.run(seq - 1, -1)
    })
    expect(verifyAuditChain(records)).toMatchObject({ ok: false, seq: seq - 1 })
  })

  test('shows that its end was cut off to whoever noted down its head, though the server went on writing', async () => {
    let seq = 0
    const records = await edited((database, victim) => {
      seq = victim.seq
      database.prepare('DELETE FROM audit WHERE seq >= ?').run(seq)
    })
    // The server wrote that it was started: the chain is whole, and as long as before.
    expect(verifyAuditChain(records)).toMatchObject({ ok: true })
    const verdict = verifyAuditChain(records, { head })
    expect(verdict).toMatchObject({ ok: false })
    expect(['truncated', 'rewritten']).toContain('problem' in verdict && verdict.problem)
  })
})
