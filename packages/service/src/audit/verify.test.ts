import * as fc from 'fast-check'
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from './canonical-json.ts'
import { type AuditHead, type AuditRecord, emptyAuditChain, nextAuditRecord } from './chain.ts'
import { startAuditVerification, verifyAuditChain } from './verify.ts'

function chainOf(length: number): AuditRecord[] {
  const chain: AuditRecord[] = []
  for (let n = 0; n < length; n++) {
    const last = chain.at(-1)
    const head: AuditHead = last ? { seq: last.record.seq, hash: last.hash } : emptyAuditChain
    chain.push(
      nextAuditRecord(head, { type: 'issued', deviceId: `device-${n}`, at: '2030-01-01T00:00:00.000Z' }),
    )
  }
  return chain
}

const chain = chainOf(6)
const headAt = (n: number): AuditHead => ({ seq: n, hash: chain[n - 1]?.hash ?? '' })

describe('canonical JSON', () => {
  it('sorts fields, leaves out what is undefined and writes no white space', () => {
    expect(canonicalJson({ b: [1, { z: null, a: true }], a: 'é\n', c: undefined })).toBe(
      '{"a":"é\\n","b":[1,{"a":true,"z":null}]}',
    )
  })

  it('refuses numbers that can be spelled in more than one way', () => {
    for (const n of [0.1, Number.NaN, 2 ** 53]) expect(() => canonicalJson({ n })).toThrow('safe integer')
  })

  it('is the same for a value that went through JSON', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.oneof(fc.string(), fc.integer(), fc.boolean())), (fields) => {
        expect(canonicalJson(JSON.parse(JSON.stringify(fields)) as Record<string, string>)).toBe(
          canonicalJson(fields),
        )
      }),
    )
  })
})

describe('a chain of audit records', () => {
  it('hashes the hash before it and the record, as anybody can compute', () => {
    const first = nextAuditRecord(emptyAuditChain, { type: 'started' })
    const expected = createHash('sha256').update(Buffer.alloc(32)).update('{"seq":1,"type":"started"}')
    expect(first.hash).toBe(expected.digest('hex'))
  })

  it('is whole as it was written, in one piece and in two', () => {
    expect(verifyAuditChain(chain)).toEqual({ ok: true, head: headAt(6) })
    expect(verifyAuditChain(chain.slice(3), { after: headAt(3) })).toEqual({ ok: true, head: headAt(6) })
    expect(verifyAuditChain([])).toEqual({ ok: true, head: emptyAuditChain })
  })

  it('shows every change of a record, wherever it is', () => {
    for (const n of chain.keys()) {
      const edited = chain.map((one, at) =>
        at === n ? { ...one, record: { ...one.record, deviceId: 'x' } } : one,
      )
      expect(verifyAuditChain(edited)).toEqual({ ok: false, seq: n + 1, problem: 'changed' })
    }
  })

  it('shows a record that was changed together with its hash by the one after it', () => {
    const forged = nextAuditRecord(headAt(2), { type: 'issued', deviceId: 'forged' })
    expect(verifyAuditChain(chain.with(2, forged))).toEqual({ ok: false, seq: 4, problem: 'changed' })
  })

  it('shows a record that was removed, doubled or moved', () => {
    expect(verifyAuditChain(chain.toSpliced(2, 1))).toEqual({ ok: false, seq: 3, problem: 'out-of-order' })
    expect(verifyAuditChain(chain.toSpliced(2, 0, ...chain.slice(1, 2)))).toMatchObject({ ok: false, seq: 3 })
    const [one, two, ...rest] = chain
    if (one && two) expect(verifyAuditChain([two, one, ...rest])).toMatchObject({ ok: false, seq: 1 })
  })

  it('shows with a head noted down earlier that its end was cut off, or that it was written anew', () => {
    expect(verifyAuditChain(chain.slice(0, 4))).toMatchObject({ ok: true })
    expect(verifyAuditChain(chain.slice(0, 4), { head: headAt(6) })).toEqual({
      ok: false,
      seq: 5,
      problem: 'truncated',
    })
    const anew = nextAuditRecord(headAt(5), { type: 'issued', deviceId: 'other' })
    expect(verifyAuditChain(chain.with(5, anew), { head: headAt(6) })).toMatchObject({ problem: 'rewritten' })
    expect(verifyAuditChain(chain, { head: headAt(4) })).toEqual({ ok: true, head: headAt(6) })
  })

  it('keeps its first problem', () => {
    const verification = startAuditVerification()
    for (const record of [...chain.slice(1), ...chain]) verification.add(record)
    expect(verification.end()).toMatchObject({ ok: false, seq: 1 })
  })

  it('is not whole when a record holds what is no number of ours', () => {
    const first = { record: { seq: 1, n: 0.5 }, hash: chain[0]?.hash ?? '' }
    expect(verifyAuditChain([first])).toEqual({ ok: false, seq: 1, problem: 'changed' })
  })
})
