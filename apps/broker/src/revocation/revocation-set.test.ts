import { parseSerial } from '@fleetroot/pki'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Effect } from './registry-event.ts'
import { RevocationSet } from './revocation-set.ts'
import { type Mark, SerialTable } from './serial-table.ts'

const pump = { issuerKeyId: 'devices', serial: parseSerial('0a') }
const lamp = { issuerKeyId: 'devices', serial: parseSerial('0b') }

function listOf(...entries: [typeof pump, Mark][]): SerialTable {
  const table = new SerialTable(entries.length)
  for (const [{ serial }, mark] of entries) table.set(serial, mark)
  return table
}

function knownSet(): RevocationSet {
  const set = new RevocationSet(['devices', 'services'])
  set.replaceList('devices', listOf(), 0)
  set.replaceList('services', listOf(), 0)
  return set
}

describe('a revocation set', () => {
  test('says nothing about a CA before there is a list of it, unless an event has named the certificate', () => {
    const set = new RevocationSet(['devices'])
    expect([set.isComplete, set.listsUpTo, set.markOf(pump)]).toEqual([false, undefined, 'unlisted'])
    set.apply(pump, 'revoked', 3)
    expect([set.markOf(pump), set.markOf(lamp)]).toEqual(['revoked', 'unlisted'])
    expect(set.markOf({ ...pump, issuerKeyId: 'other' })).toBe('untrusted')
  })

  test('tells the same serial of two CAs apart', () => {
    const set = knownSet()
    set.apply(pump, 'revoked', 1)
    expect(set.markOf({ ...pump, issuerKeyId: 'services' })).toBe('good')
  })

  test('lets a suspended certificate in again when a list says so, and not for an event', () => {
    const set = knownSet()
    expect(set.apply(pump, 'suspended', 1)).toBe(true)
    expect(set.apply(pump, 'resumed', 2)).toBe(false)
    expect(set.markOf(pump)).toBe('suspended')
    set.replaceList('devices', listOf(), 2)
    expect(set.markOf(pump)).toBe('good')
  })

  test('does not forget a revocation for a list that is said to include it, and does not name it', () => {
    const set = knownSet()
    set.apply(pump, 'revoked', 3)
    set.replaceList('devices', listOf(), 999)
    expect(set.markOf(pump)).toBe('revoked')
    set.replaceList('devices', listOf([pump, 'revoked']), 1000)
    expect([set.markOf(pump), set.changed]).toEqual(['revoked', 0])
  })

  test('does not let an event take back what the list has revoked', () => {
    const set = knownSet()
    set.replaceList('devices', listOf([pump, 'revoked'], [lamp, 'suspended']), 5)
    set.apply(pump, 'resumed', 6)
    set.apply(lamp, 'resumed', 6)
    expect([set.markOf(pump), set.markOf(lamp)]).toEqual(['revoked', 'suspended'])
  })

  test('ignores events that the list includes: a suspension that was taken back since does not return', () => {
    const set = knownSet()
    set.replaceList('devices', listOf(), 5)
    expect(set.apply(pump, 'suspended', 4)).toBe(false)
    expect(set.markOf(pump)).toBe('good')
  })

  test('keeps what events after the list have changed, and forgets what it includes', () => {
    const set = knownSet()
    set.apply(pump, 'revoked', 6)
    set.apply(lamp, 'suspended', 3)
    set.replaceList('devices', listOf(), 5)
    expect([set.markOf(pump), set.markOf(lamp)]).toEqual(['revoked', 'good'])
    expect([...set.pending()]).toEqual([{ ...pump, mark: 'revoked', eventId: 6 }])
  })

  test('forgets no denial because an unchanged list is said to include it', () => {
    const set = knownSet()
    set.apply(pump, 'revoked', 6)
    set.includeUpTo('devices', 9)
    expect(set.markOf(pump)).toBe('revoked')
  })

  test('ends the same whatever the order in which events come, and however often', () => {
    const effects = fc.constantFrom<Effect>('suspended', 'resumed', 'none')
    fc.assert(
      fc.property(
        fc.array(effects, { minLength: 1, maxLength: 8 }),
        fc.option(fc.nat(7)),
        fc.infiniteStream(fc.nat(1_000)),
        (history, revokedAt, random) => {
          const events = history.map(
            (effect, i) => ({ effect: i === revokedAt ? 'revoked' : effect, id: i + 1 }) as const,
          )
          const inOrder = knownSet()
          for (const { effect, id } of events) inOrder.apply(pump, effect, id)
          const shuffled = [...events, ...events]
            .map((event) => ({ event, key: random.next().value }))
            .toSorted((a, b) => a.key - b.key)
          const anyOrder = knownSet()
          for (const { event } of shuffled) anyOrder.apply(pump, event.effect, event.id)
          expect(anyOrder.markOf(pump)).toBe(inOrder.markOf(pump))
        },
      ),
    )
  })
})
