import type { SerialNumber } from '@fleetroot/pki'
import { describe, expect, test } from 'vitest'
import { Revocation, type TrustedIssuers } from './revocation.ts'
import { SerialTable } from './serial-table.ts'

const issuers = (...keyIds: string[]): TrustedIssuers => ({
  issuing: keyIds.map((subjectKeyId) => ({ id: subjectKeyId, certificate: { subjectKeyId } })),
})
const serial = (text: string): SerialNumber => text as SerialNumber
const ref = (text: string) => ({ issuerKeyId: 'aa', serial: serial(text) })

function table(...entries: [string, 'revoked' | 'suspended'][]): SerialTable {
  const made = new SerialTable(entries.length)
  for (const [text, mark] of entries) made.set(serial(text), mark)
  return made
}

function revocationAt(clock: { now: number }, of = issuers('aa')): Revocation {
  return new Revocation(of, {
    policy: 'fail-closed',
    afterMs: 1_000,
    now: () => clock.now,
    elapsed: () => clock.now,
  })
}

/** Takes the steps as another process would get them: copied. */
function follow(source: Revocation, clock: { now: number }): { follower: Revocation; stop: () => void } {
  const follower = revocationAt(clock, { issuing: [] })
  return { follower, stop: source.relay((step) => follower.take(structuredClone(step))) }
}

describe('what a revocation knows, relayed to another process', () => {
  test('is there from the start: lists, what is in none yet, and how old it is', () => {
    const clock = { now: 10_000 }
    const source = revocationAt(clock)
    source.replaceList('aa', table(['01', 'revoked'], ['02', 'suspended']), 5)
    source.applyTo(ref('03'), 'revoked', 6)
    source.confirm(9_500)
    const { follower } = follow(source, clock)
    expect(['01', '02', '03', '04'].map((text) => follower.standingOf(ref(text)))).toEqual([
      'revoked',
      'suspended',
      'revoked',
      'good',
    ])
    expect(follower.standingOf({ issuerKeyId: 'bb', serial: serial('01') })).toBe('untrusted')
    clock.now = 10_499
    expect(follower.isClosed()).toBe(false)
    clock.now = 10_500
    expect(follower.isClosed()).toBe(true)
  })

  test('lets nobody pass as long as there is nothing to know', () => {
    const clock = { now: 10_000 }
    const { follower } = follow(revocationAt(clock), clock)
    expect(follower.standingOf(ref('01'))).toBe('unknown')
    expect(follower.isClosed()).toBe(true)
  })

  test('changes in the turn in which it changes, until that is stopped', () => {
    const clock = { now: 10_000 }
    const source = revocationAt(clock)
    const { follower, stop } = follow(source, clock)
    const heard: string[] = []
    follower.subscribe({
      onChange: (certificate) => heard.push(certificate.serial),
      onReplaced: () => heard.push('list'),
      onRecent: () => heard.push('recent'),
    })
    source.replaceList('aa', table(), 1)
    source.confirm(clock.now)
    source.applyTo(ref('01'), 'suspended', 2)
    expect(follower.standingOf(ref('01'))).toBe('suspended')
    source.replaceList('aa', table(['02', 'revoked']), 3)
    expect(follower.standingOf(ref('01'))).toBe('good')
    source.includeUpTo('aa', 9)
    source.applyTo(ref('04'), 'suspended', 8)
    expect([source, follower].map((one) => one.standingOf(ref('04')))).toEqual(['good', 'good'])
    source.setIssuers(issuers('aa', 'bb'))
    expect(follower.standingOf({ issuerKeyId: 'bb', serial: serial('01') })).toBe('unknown')
    expect(heard).toEqual(['list', 'recent', '01', 'list', 'list'])
    stop()
    source.applyTo(ref('09'), 'revoked', 10)
    expect(follower.standingOf(ref('09'))).toBe('good')
  })
})
