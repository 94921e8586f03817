import { createLogger } from '@fleetroot/service'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { rotateTicketKeys, TicketKeys, ticketLifetimeMs } from '../listener/ticket-keys.ts'
import { TicketRing } from './ticket-ring.ts'

// Only what happens every so often: connections are real, and nobody listens where they go.
beforeEach(() => vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] }))
afterEach(() => vi.useRealTimers())

test('a node that never sees the others has new keys every hour all the same, and none of them twice', () => {
  const keys = new TicketKeys()
  const ring = new TicketRing({
    address: { url: 'redis://127.0.0.1:1', prefix: 'fleetroot' },
    secret: 'a secret that all nodes know and Redis does not',
    keys,
    log: createLogger({ name: 'broker', level: 'silent' }),
  })
  const rotation = rotateTicketKeys({ subscribe: () => () => undefined, standingOf: () => 'good' }, () =>
    ring.rotate(),
  )
  try {
    const seen = new Set([keys.current.toString('hex')])
    for (let hour = 1; hour <= 24; hour += 1) {
      vi.advanceTimersByTime(ticketLifetimeMs - 1)
      expect(seen.has(keys.current.toString('hex'))).toBe(true)
      vi.advanceTimersByTime(1)
      seen.add(keys.current.toString('hex'))
      expect(seen.size).toBe(hour + 1)
    }
  } finally {
    rotation.close()
    ring.close()
  }
})
