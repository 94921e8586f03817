import { describe, expect, test } from 'vitest'
import { Staleness, type StalePolicy } from './staleness.ts'

function staleness(policy: StalePolicy) {
  const clock = { now: 1_000_000 }
  return Object.assign(new Staleness({ policy, afterMs: 600_000, now: () => clock.now }), { clock })
}

describe.each<StalePolicy>(['fail-open', 'fail-closed'])('%s', (policy) => {
  test('is closed and stale before anything was known', () => {
    const subject = staleness(policy)
    expect([subject.isClosed(), subject.isStale(), subject.ageMs()]).toEqual([true, true, undefined])
  })

  test('is stale to the millisecond, and recent again when confirmed', () => {
    const subject = staleness(policy)
    subject.confirm(1_000_000)
    subject.clock.now += 599_999
    expect([subject.isStale(), subject.isClosed()]).toEqual([false, false])
    subject.clock.now += 1
    expect([subject.isStale(), subject.isClosed(), subject.ageMs()]).toEqual([
      true,
      policy === 'fail-closed',
      600_000,
    ])
    subject.confirm(subject.clock.now)
    expect([subject.isStale(), subject.isClosed()]).toEqual([false, false])
  })

  test('takes no confirmation from the future, and none that is older than what is known', () => {
    const subject = staleness(policy)
    subject.confirm(9_000_000)
    subject.confirm(5_000)
    expect(subject.confirmedMs).toBe(1_000_000)
  })
})
