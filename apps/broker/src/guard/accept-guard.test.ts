import { createLogger } from '@fleetroot/service'
import { expect, test } from 'vitest'
import { BrokerCounts } from '../metrics/counts.ts'
import { AcceptGuard } from './accept-guard.ts'
import { defaultGuardLimits, type GuardLimits } from './limits.ts'

function makeGuard(limits: Partial<GuardLimits>): {
  readonly counts: BrokerCounts
  readonly lines: string[]
  readonly come: (address: string, now?: number) => string | { readonly done: () => void }
} {
  const counts = new BrokerCounts()
  const lines: string[] = []
  let time = 0
  const log = createLogger({
    name: 'broker',
    level: 'info',
    stream: { write: (line: string) => void lines.push(line) },
  })
  const guard = new AcceptGuard({ ...defaultGuardLimits, ...limits }, counts, log, () => time)
  return {
    counts,
    lines,
    come: (address, now = time) => {
      time = now
      const visit = guard.open(address)
      if (visit === undefined) return 'cut'
      const refusal = visit.identify(address)
      if (refusal !== undefined) visit.done()
      return refusal ?? visit
    },
  }
}

test('an address beyond its rate takes nothing from the budget of all', () => {
  const { come, counts } = makeGuard({
    acceptRate: { perSecond: 1, burst: 4 },
    acceptRatePerAddress: { perSecond: 1, burst: 2 },
  })
  const flood = Array.from({ length: 10 }, () => come('192.0.2.1'))
  expect(flood.filter((answer) => answer === 'accept-rate-address')).toHaveLength(8)
  expect([come('192.0.2.2'), come('192.0.2.3')].map((answer) => typeof answer)).toEqual(['object', 'object'])
  expect(come('192.0.2.4')).toBe('accept-rate-total')
  expect(typeof come('192.0.2.4', 1_000)).toBe('object')
  expect(Object.fromEntries(counts.refused)).toEqual({ 'accept-rate-address': 8, 'accept-rate-total': 1 })
})

test('all addresses of an IPv6 network are one', () => {
  const { come } = makeGuard({ acceptRatePerAddress: { perSecond: 1, burst: 1 } })
  expect(typeof come('2001:db8::1')).toBe('object')
  expect(come('2001:db8::ffff:2')).toBe('accept-rate-address')
  expect(typeof come('2001:db8:0:1::1')).toBe('object')
})

test('open handshakes are bounded for an address and in total, until they are done', () => {
  const { come, counts } = makeGuard({ maxHandshakes: 3, maxHandshakesPerAddress: 2 })
  const first = come('192.0.2.1') as { done: () => void }
  come('192.0.2.1')
  expect(come('192.0.2.1')).toBe('handshakes-address')
  come('192.0.2.2')
  expect(come('192.0.2.3')).toBe('cut')
  expect(counts.handshakes).toBe(3)
  first.done()
  first.done()
  expect(typeof come('192.0.2.1')).toBe('object')
  expect(counts.handshakes).toBe(3)
})

test('a flood of refusals is a line a second in the log, with their number', () => {
  const { come, lines } = makeGuard({ acceptRatePerAddress: { perSecond: 0.001, burst: 1 } })
  for (let n = 0; n < 1_001; n++) come('192.0.2.1')
  come('192.0.2.1', 1_000)
  expect(lines.map((line) => (JSON.parse(line) as { refusals: number }).refusals)).toEqual([1, 1_000])
})
