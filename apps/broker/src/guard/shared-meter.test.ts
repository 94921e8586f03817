import { describe, expect, test } from 'vitest'
import type { Inbound } from './inbound-meter.ts'
import { charge, type Rate } from './rate.ts'
import type { SharedDebt } from './shared-budget.ts'
import { SharedMeter } from './shared-meter.ts'

const messageRate: Rate = { perSecond: 100, burst: 200 }
const byteRate: Rate = { perSecond: 1_000_000, burst: 1_000_000 }
const filterRate: Rate = { perSecond: 20, burst: 100 }
const limits = { messageRate, byteRate, filterRate, maxHeldBackMs: 60_000 }

/** A bucket that several meters share, and when each of them has settled. */
function sharedBucket(clock: () => number) {
  let fullAt = 0
  let filtersFullAt = 0
  const settled: { messages: number; atMs: number }[] = []
  const answers: (() => void)[] = []
  return {
    settled,
    answers,
    settle: async ({ messages, filters }: Inbound): Promise<SharedDebt> => {
      settled.push({ messages, atMs: clock() })
      await new Promise<void>((resolve) => answers.push(resolve))
      fullAt = charge(fullAt, clock(), messageRate, messages)
      filtersFullAt = charge(filtersFullAt, clock(), filterRate, filters)
      return { messages: fullAt - clock(), bytes: 0, filters: filtersFullAt - clock() }
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2))

describe('the meters of an identity on several brokers', () => {
  test('tell each other nothing about a device that reports now and then', async () => {
    const clock = { now: 1_000 }
    const bucket = sharedBucket(() => clock.now)
    const meter = new SharedMeter(limits, bucket.settle, () => clock.now)
    for (let n = 0; n < 9; n += 1)
      meter.charge({ messages: 1, bytes: 100, filters: 0 }, (clock.now += 60_000))
    await turn()
    expect(bucket.settled).toEqual([])
    meter.charge({ messages: 1, bytes: 100, filters: 0 }, clock.now)
    await turn()
    expect(bucket.settled).toEqual([{ messages: 10, atMs: clock.now }])
  })

  test('hold a session back for what the identity has sent elsewhere', async () => {
    const clock = { now: 1_000 }
    const bucket = sharedBucket(() => clock.now)
    const [one, other] = [0, 1].map(() => new SharedMeter(limits, bucket.settle, () => clock.now))
    expect(one!.charge({ messages: 150, bytes: 0, filters: 0 }, clock.now).limit).toBeUndefined()
    expect(other!.charge({ messages: 150, bytes: 0, filters: 0 }, clock.now).limit).toBeUndefined()
    await turn()
    for (const answer of bucket.answers.splice(0)) answer()
    await turn()
    // 300 of 200 that may be sent at once: the second one to settle knows, and waits a second for the 100 beyond.
    const verdict = other!.charge({ messages: 1, bytes: 0, filters: 0 }, clock.now)
    expect(verdict).toMatchObject({ limit: 'message-rate' })
    expect(verdict.holdMs).toBeCloseTo(1_010)
  })

  test('hold it back for the filters that it has changed elsewhere', async () => {
    const clock = { now: 1_000 }
    const bucket = sharedBucket(() => clock.now)
    const [one, other] = [0, 1].map(() => new SharedMeter(limits, bucket.settle, () => clock.now))
    const eighty = { messages: 1, bytes: 100, filters: 80 }
    for (const meter of [one!, other!]) expect(meter.charge(eighty, clock.now).limit).toBeUndefined()
    await turn()
    for (const answer of bucket.answers.splice(0)) answer()
    await turn()
    // 160 of 100: the 60 beyond, and this one, at 20 a second.
    const verdict = other!.charge({ messages: 1, bytes: 100, filters: 1 }, clock.now)
    expect(verdict).toMatchObject({ limit: 'filter-rate' })
    expect(verdict.holdMs).toBeCloseTo(3_050)
  })

  test('settle at most four times a second, and forget nothing that was sent meanwhile', async () => {
    const clock = { now: 1_000 }
    const bucket = sharedBucket(() => clock.now)
    const meter = new SharedMeter(limits, bucket.settle, () => clock.now)
    meter.charge({ messages: 100, bytes: 0, filters: 0 }, clock.now)
    await turn()
    meter.charge({ messages: 90, bytes: 0, filters: 0 }, clock.now)
    for (const answer of bucket.answers.splice(0)) answer()
    await turn()
    expect(bucket.settled.map(({ messages }) => messages)).toEqual([100])
    // 100 that were settled and 90 that were not: 10 are left.
    expect(meter.charge({ messages: 10, bytes: 0, filters: 0 }, clock.now).limit).toBeUndefined()
    expect(meter.charge({ messages: 1, bytes: 0, filters: 0 }, clock.now).limit).toBe('message-rate')
    clock.now += 250
    while (bucket.settled.length < 2) await turn()
    expect(bucket.settled[1]!.messages).toBe(101)
  })

  test('go on by themselves when nobody answers', async () => {
    const meter = new SharedMeter(
      limits,
      () => Promise.reject(new Error('no Redis')),
      () => 1_000,
    )
    expect(meter.charge({ messages: 200, bytes: 0, filters: 0 }, 1_000).limit).toBeUndefined()
    await turn()
    expect(meter.charge({ messages: 1, bytes: 0, filters: 0 }, 1_000)).toMatchObject({
      limit: 'message-rate',
    })
  })
})
