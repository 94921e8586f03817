import { describe, expect, test } from 'vitest'
import { charge, type Rate } from './rate.ts'
import type { SharedDebt } from './shared-budget.ts'
import { SharedMeter } from './shared-meter.ts'

const messageRate: Rate = { perSecond: 100, burst: 200 }
const byteRate: Rate = { perSecond: 1_000_000, burst: 1_000_000 }
const limits = { messageRate, byteRate, maxHeldBackMs: 60_000 }

/** A bucket that several meters share, and when each of them has settled. */
function sharedBucket(clock: () => number) {
  let fullAt = 0
  const settled: { messages: number; atMs: number }[] = []
  const answers: (() => void)[] = []
  return {
    settled,
    answers,
    settle: async ({ messages }: { messages: number }): Promise<SharedDebt> => {
      settled.push({ messages, atMs: clock() })
      await new Promise<void>((resolve) => answers.push(resolve))
      fullAt = charge(fullAt, clock(), messageRate, messages)
      return { messagesMs: fullAt - clock(), bytesMs: 0 }
    },
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2))

describe('the meters of an identity on several brokers', () => {
  test('tell each other nothing about a device that reports now and then', async () => {
    const clock = { now: 1_000 }
    const bucket = sharedBucket(() => clock.now)
    const meter = new SharedMeter(limits, bucket.settle, () => clock.now)
    for (let n = 0; n < 9; n += 1) meter.charge(1, 100, (clock.now += 60_000))
    await turn()
    expect(bucket.settled).toEqual([])
    meter.charge(1, 100, clock.now)
    await turn()
    expect(bucket.settled).toEqual([{ messages: 10, atMs: clock.now }])
  })

  test('hold a session back for what the identity has sent elsewhere', async () => {
    const clock = { now: 1_000 }
    const bucket = sharedBucket(() => clock.now)
    const [one, other] = [0, 1].map(() => new SharedMeter(limits, bucket.settle, () => clock.now))
    expect(one!.charge(150, 0, clock.now).limit).toBeUndefined()
    expect(other!.charge(150, 0, clock.now).limit).toBeUndefined()
    await turn()
    for (const answer of bucket.answers.splice(0)) answer()
    await turn()
    // 300 of 200 that may be sent at once: the second one to settle knows, and waits a second for the 100 beyond.
    const verdict = other!.charge(1, 0, clock.now)
    expect(verdict).toMatchObject({ limit: 'message-rate' })
    expect(verdict.holdMs).toBeCloseTo(1_010)
  })

  test('settle at most four times a second, and forget nothing that was sent meanwhile', async () => {
    const clock = { now: 1_000 }
    const bucket = sharedBucket(() => clock.now)
    const meter = new SharedMeter(limits, bucket.settle, () => clock.now)
    meter.charge(100, 0, clock.now)
    await turn()
    meter.charge(90, 0, clock.now)
    for (const answer of bucket.answers.splice(0)) answer()
    await turn()
    expect(bucket.settled.map(({ messages }) => messages)).toEqual([100])
    // 100 that were settled and 90 that were not: 10 are left.
    expect(meter.charge(10, 0, clock.now).limit).toBeUndefined()
    expect(meter.charge(1, 0, clock.now).limit).toBe('message-rate')
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
    expect(meter.charge(200, 0, 1_000).limit).toBeUndefined()
    await turn()
    expect(meter.charge(1, 0, 1_000)).toMatchObject({ limit: 'message-rate' })
  })
})
