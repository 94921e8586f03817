import { expect, test } from 'vitest'
import { InboundMeter } from './inbound-meter.ts'

const limits = {
  messageRate: { perSecond: 10, burst: 20 },
  byteRate: { perSecond: 1_000, burst: 5_000 },
  filterRate: { perSecond: 5, burst: 100 },
  maxHeldBackMs: 10_000,
}

test('within its burst a client is not held back', () => {
  const meter = new InboundMeter(limits)
  expect(meter.charge({ messages: 20, bytes: 5_000, filters: 0 }, 0)).toEqual({ holdMs: 0, isAbuse: false })
})

test('beyond it, it is held back until it owes nothing, by the limit that it is further beyond', () => {
  const meter = new InboundMeter(limits)
  expect(meter.charge({ messages: 25, bytes: 100, filters: 0 }, 0)).toEqual({
    holdMs: 500,
    limit: 'message-rate',
    isAbuse: false,
  })
  expect(new InboundMeter(limits).charge({ messages: 1, bytes: 8_000, filters: 0 }, 0)).toEqual({
    holdMs: 3_000,
    limit: 'byte-rate',
    isAbuse: false,
  })
})

test('topic filters have a rate of their own', () => {
  const meter = new InboundMeter(limits)
  expect(meter.charge({ messages: 1, bytes: 2_000, filters: 100 }, 0).limit).toBeUndefined()
  expect(meter.charge({ messages: 1, bytes: 20, filters: 10 }, 0)).toEqual({
    holdMs: 2_000,
    limit: 'filter-rate',
    isAbuse: false,
  })
  expect(meter.charge({ messages: 1, bytes: 20, filters: 1 }, 2_200).limit).toBeUndefined()
})

test('pushing on without a pause is abuse in the end', () => {
  const meter = new InboundMeter(limits)
  let now = 0
  let verdict = meter.charge({ messages: 30, bytes: 0, filters: 0 }, now)
  while (!verdict.isAbuse) {
    now += verdict.holdMs
    verdict = meter.charge({ messages: 10, bytes: 0, filters: 0 }, now)
  }
  expect(now).toBe(11_000)
})

test('whoever pauses in between is never an abuser', () => {
  const meter = new InboundMeter(limits)
  let now = 0
  for (let round = 0; round < 100; round++) {
    const { holdMs, isAbuse } = meter.charge({ messages: 50, bytes: 0, filters: 0 }, now)
    expect(isAbuse).toBe(false)
    now += holdMs + 2_000
  }
})

test('what is owed is said without a charge, and is over when it is paid', () => {
  const meter = new InboundMeter(limits)
  meter.charge({ messages: 20, bytes: 5_000, filters: 100 }, 0)
  expect(meter.owedMs(0)).toBe(0)
  meter.charge({ messages: 5, bytes: 1_000, filters: 0 }, 0)
  expect(meter.owedMs(0)).toBe(1_000)
  expect(meter.owedMs(400)).toBe(600)
  expect(meter.owedMs(1_000)).toBe(0)
})

test('who waits is called in turn, each when what the one before it has sent is paid', async () => {
  const meter = new InboundMeter({ ...limits, filterRate: { perSecond: 1_000, burst: 1 } })
  const send = (): void => void meter.charge({ messages: 0, bytes: 0, filters: 20 }, performance.now())
  const order: string[] = []
  send()
  await new Promise<void>((resolve) => {
    const come = (name: string): void =>
      meter.wait(() => {
        expect(meter.owedMs(performance.now())).toBe(0)
        order.push(name)
        if (order.length >= 6) return resolve()
        send()
        // It comes again at once, as who floods does.
        return come(name)
      })
    for (const name of ['one', 'two', 'three']) come(name)
  })
  expect(order.slice(0, 6)).toEqual(['one', 'two', 'three', 'one', 'two', 'three'])
})
