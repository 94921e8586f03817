import { describe, expect, test } from 'vitest'
import { createLedger } from './ledger.ts'

describe('createLedger', () => {
  test('settles a message once it is acknowledged and delivered, in either order', () => {
    const ledger = createLedger()
    ledger.published('a', 1, 100)
    ledger.published('a', 2, 200)
    expect(ledger.unsettled).toBe(2)
    ledger.acknowledged('a', 1)
    expect(ledger.counts()).toMatchObject({ acknowledged: 1, undelivered: 1 })
    expect(ledger.delivered('a', 1)).toEqual({ kind: 'first', dueAt: 100 })
    expect(ledger.delivered('a', 2)).toEqual({ kind: 'first', dueAt: 200 })
    expect(ledger.unsettled).toBe(1)
    ledger.acknowledged('a', 2)
    expect(ledger.unsettled).toBe(0)
    expect(ledger.counts()).toEqual({
      published: 2,
      acknowledged: 2,
      delivered: 2,
      undelivered: 0,
      duplicated: 0,
    })
  })

  test('calls lost only what was acknowledged: an unacknowledged message promised nothing', () => {
    const ledger = createLedger()
    for (let sequence = 1; sequence <= 4; sequence++) ledger.published('a', sequence, 0)
    ledger.acknowledged('a', 1)
    ledger.acknowledged('a', 2)
    ledger.acknowledged('a', 4)
    ledger.delivered('a', 1)
    expect(ledger.counts()).toMatchObject({ published: 4, acknowledged: 3, delivered: 1, undelivered: 2 })
    expect(ledger.undelivered(10)).toEqual([
      { device: 'a', sequence: 2 },
      { device: 'a', sequence: 4 },
    ])
    expect(ledger.undelivered(1)).toEqual([{ device: 'a', sequence: 2 }])
  })

  test('keeps devices apart: the same sequence number of another device settles nothing', () => {
    const ledger = createLedger()
    ledger.published('a', 1, 0)
    ledger.published('b', 1, 0)
    ledger.acknowledged('a', 1)
    ledger.delivered('b', 1)
    expect(ledger.counts().undelivered).toBe(1)
    expect(ledger.undelivered(10)).toEqual([{ device: 'a', sequence: 1 }])
    expect(ledger.devicesAcknowledged).toBe(1)
  })

  test('counts every arrival beyond the first as duplicated, and never as delivered twice', () => {
    const ledger = createLedger()
    ledger.published('a', 1, 0)
    ledger.acknowledged('a', 1)
    ledger.acknowledged('a', 1)
    expect(ledger.delivered('a', 1).kind).toBe('first')
    expect(ledger.delivered('a', 1).kind).toBe('duplicate')
    expect(ledger.delivered('a', 1).kind).toBe('duplicate')
    expect(ledger.counts()).toMatchObject({ acknowledged: 1, delivered: 1, duplicated: 2, undelivered: 0 })
  })

  test('says unknown to what nobody published: another device, a number not reached, zero', () => {
    const ledger = createLedger()
    ledger.published('a', 1, 0)
    expect(ledger.delivered('b', 1)).toEqual({ kind: 'unknown' })
    expect(ledger.delivered('a', 2)).toEqual({ kind: 'unknown' })
    expect(ledger.delivered('a', 0)).toEqual({ kind: 'unknown' })
    expect(ledger.counts().delivered).toBe(0)
  })
})
