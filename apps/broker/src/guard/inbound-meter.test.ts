import { expect, test } from 'vitest'
import { InboundMeter } from './inbound-meter.ts'

const limits = {
  messageRate: { perSecond: 10, burst: 20 },
  byteRate: { perSecond: 1_000, burst: 5_000 },
  maxHeldBackMs: 10_000,
}

test('within its burst a client is not held back', () => {
  const meter = new InboundMeter(limits)
  expect(meter.charge(20, 5_000, 0)).toEqual({ holdMs: 0, isAbuse: false })
})

test('beyond it, it is held back until it owes nothing, by the limit that it is further beyond', () => {
  const meter = new InboundMeter(limits)
  expect(meter.charge(25, 100, 0)).toEqual({ holdMs: 500, limit: 'message-rate', isAbuse: false })
  expect(new InboundMeter(limits).charge(1, 8_000, 0)).toEqual({
    holdMs: 3_000,
    limit: 'byte-rate',
    isAbuse: false,
  })
})

test('pushing on without a pause is abuse in the end', () => {
  const meter = new InboundMeter(limits)
  let now = 0
  let verdict = meter.charge(30, 0, now)
  while (!verdict.isAbuse) {
    now += verdict.holdMs
    verdict = meter.charge(10, 0, now)
  }
  expect(now).toBe(11_000)
})

test('whoever pauses in between is never an abuser', () => {
  const meter = new InboundMeter(limits)
  let now = 0
  for (let round = 0; round < 100; round++) {
    const { holdMs, isAbuse } = meter.charge(50, 0, now)
    expect(isAbuse).toBe(false)
    now += holdMs + 2_000
  }
})
