import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { refusalOf } from '../testing/refusal.ts'
import { parseSerial, type SerialNumber } from '../serial.ts'
import { CrlEntries } from './entries.ts'
import { type CrlEntry, encodeEntry } from './entry.ts'
import { type RevocationReason, revocationReasons } from './reason.ts'

const at = (second: number) => new Date(Date.UTC(2026, 10, 20) + second * 1000)
const serialOf = (n: number | bigint): SerialNumber => parseSerial(n.toString(16))

const reasons = fc.constantFrom<RevocationReason | undefined>(
  undefined,
  ...revocationReasons.map(({ name }) => name),
)
const entry = fc.record({
  serial: fc
    .oneof(fc.integer({ min: 1, max: 300 }), fc.bigInt({ min: 1n, max: 2n ** 159n - 1n }))
    .map(serialOf),
  revokedAt: fc.integer({ min: 0, max: 1_000_000 }).map(at),
  reason: reasons.map((reason) => (reason === 'unspecified' ? undefined : reason)),
  invalidityDate: fc.option(fc.integer({ min: 0, max: 1_000_000 }).map(at), { nil: undefined }),
})
const step = fc.oneof(
  entry.map((entry) => ({ set: entry })),
  entry.map(({ serial }) => ({ remove: serial })),
)

/** What entries must be after the same steps on a map: every way of looking at them agrees. */
function expectSame(entries: CrlEntries, model: ReadonlyMap<SerialNumber, CrlEntry>): void {
  const sorted = [...model.values()].sort((a, b) =>
    BigInt(`0x${a.serial}`) < BigInt(`0x${b.serial}`) ? -1 : 1,
  )
  expect([...entries]).toEqual(sorted)
  expect([...entries.serials()]).toEqual(sorted.map(({ serial }) => serial))
  expect(Buffer.concat(entries.pieces())).toEqual(Buffer.concat(sorted.map(encodeEntry)))
  expect(entries.size).toBe(model.size)
  expect(entries.byteLength).toBe(Buffer.concat(entries.pieces()).length)
  expect(entries.removals).toBe(sorted.filter(({ reason }) => reason === 'removeFromCRL').length)
}

describe('CRL entries', () => {
  it('are what was set and not deleted, sorted by number, whatever the order of the changes', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 40 }), fc.array(step, { maxLength: 120 }), (first, steps) => {
        const model = new Map(first.map((entry) => [entry.serial, entry]))
        const entries = new CrlEntries(model.values())
        for (const step of steps) {
          if ('set' in step) {
            entries.set(step.set)
            model.set(step.set.serial, step.set)
          } else expect(entries.delete(step.remove)).toBe(model.delete(step.remove))
        }
        expectSame(entries, model)
      }),
      { numRuns: 300 },
    )
  })

  it('stay right when chunks split, run empty and fill again', () => {
    const entries = new CrlEntries()
    const model = new Map<SerialNumber, CrlEntry>()
    // 7919 is prime to 5000: every number once, in an order that hits all chunks.
    for (let n = 0; n < 5000; n += 1) {
      const one = {
        serial: serialOf(((n * 7919) % 5000) + 1),
        revokedAt: at(n),
        reason: 'superseded' as const,
      }
      entries.set(one)
      model.set(one.serial, { ...one, invalidityDate: undefined })
    }
    expectSame(entries, model)
    expect(entries.pieces().length).toBeGreaterThan(5)
    // From the middle: whole chunks go, and what stays before and behind them is still found.
    for (let n = 1001; n <= 4000; n += 1) {
      expect(entries.delete(serialOf(n))).toBe(model.delete(serialOf(n)))
    }
    expectSame(entries, model)
    for (let n = 1; n <= 5000; n += 1) expect(entries.has(serialOf(n))).toBe(model.has(serialOf(n)))
    expect(entries.delete(serialOf(2000))).toBe(false)
    entries.set({ serial: serialOf(2000), revokedAt: at(1) })
    expect(entries.get(serialOf(2000))?.revokedAt).toEqual(at(1))
    expect(entries.get(serialOf(4001))).toEqual(model.get(serialOf(4001)))
    expect(entries.get(serialOf(9999))).toBeUndefined()
  })

  it('keep their encodings apart from later changes, so that a list that is being signed does not change', () => {
    const entries = new CrlEntries([{ serial: serialOf(1), revokedAt: at(1) }])
    const pieces = entries.pieces()
    const before = Buffer.concat(pieces)
    entries.set({ serial: serialOf(1), revokedAt: at(2), reason: 'keyCompromise' })
    entries.set({ serial: serialOf(2), revokedAt: at(2) })
    expect(Buffer.concat(pieces)).toEqual(before)
  })

  it('leave `unspecified` out, cut off fractions of a second, and take the largest of everything', () => {
    const serial = serialOf(2n ** 159n - 1n)
    const bare = encodeEntry({ serial, revokedAt: at(0) })
    expect(
      encodeEntry({ serial, revokedAt: new Date(at(0).getTime() + 999), reason: 'unspecified' }),
    ).toEqual(bare)
    const year9999 = new Date('9999-12-31T23:59:59Z')
    const largest = { serial, revokedAt: year9999, reason: 'aACompromise', invalidityDate: year9999 } as const
    // One octet of length, which the chunks rely on.
    expect(encodeEntry(largest).length).toBeLessThan(128)
    expect([...new CrlEntries([largest])]).toEqual([largest])
  })

  it('are refused with a reason that is none, a bad date, or a serial twice, and then do not change', () => {
    const entries = new CrlEntries([{ serial: serialOf(1), revokedAt: at(1) }])
    const bad = { serial: serialOf(2), revokedAt: at(1), reason: 'stolen' as RevocationReason }
    expect(refusalOf(() => entries.set(bad))).toEqual({
      code: 'crl-refused',
      message: 'CRL entry 02: "stolen" is not a reason',
    })
    const noDate = { serial: serialOf(1), revokedAt: new Date(Number.NaN) }
    expect(refusalOf(() => entries.set(noDate)).code).toBe('time-invalid')
    expect([...entries].map(({ serial, revokedAt }) => [serial, revokedAt])).toEqual([['01', at(1)]])
    const twice = [bad, bad].map(({ serial, revokedAt }) => ({ serial, revokedAt }))
    expect(refusalOf(() => new CrlEntries(twice)).message).toBe('CRL entries: serial 02 occurs twice')
  })
})
