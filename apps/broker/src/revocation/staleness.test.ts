import { describe, expect, test } from 'vitest'
import { Staleness, type StalePolicy } from './staleness.ts'

function staleness(policy: StalePolicy) {
  const clock = { now: 1_000_000, elapsed: 0 }
  const options = { policy, afterMs: 600_000, now: () => clock.now, elapsed: () => clock.elapsed }
  return Object.assign(new Staleness(options), { clock })
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

  test('takes a confirmation from the near future for now, and none that is older than what is known', () => {
    const subject = staleness(policy)
    subject.confirm(1_300_000)
    subject.confirm(5_000)
    expect([subject.confirmedMs, subject.ageMs()]).toEqual([1_000_000, 0])
  })

  test('takes a confirmation from further ahead, written while a clock was wrong, for an old one', () => {
    const subject = staleness(policy)
    subject.confirm(1_300_001)
    expect([subject.isStale(), subject.isClosed()]).toEqual([true, policy === 'fail-closed'])
  })

  test('grows stale although the clock is set back, and does not stay recent for as long as it was', () => {
    const subject = staleness(policy)
    subject.confirm(1_000_000)
    subject.clock.now -= 900_000
    subject.clock.elapsed += 599_999
    expect(subject.isStale()).toBe(false)
    subject.clock.elapsed += 1
    expect([subject.isStale(), subject.isClosed()]).toEqual([true, policy === 'fail-closed'])
    subject.confirm(subject.clock.now)
    expect([subject.isStale(), subject.ageMs()]).toEqual([false, 0])
    subject.clock.now += 600_000
    subject.clock.elapsed += 600_000
    expect(subject.isStale()).toBe(true)
  })

  test('is stale at once when the clock is set ahead, or the machine slept, until it is confirmed again', () => {
    const subject = staleness(policy)
    subject.confirm(1_000_000)
    subject.clock.now += 600_000
    expect(subject.isStale()).toBe(true)
    subject.confirm(subject.clock.now)
    expect(subject.isStale()).toBe(false)
  })
})
