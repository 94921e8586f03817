import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestRefused } from '../problem/refusal.ts'
import type { AccessGate } from './access.ts'
import type { RateLimits } from './limits.ts'

/**
 * Counts tokens that failed, for each client address and minute. 256 bits cannot be guessed: the limit keeps
 * a device that retries a dead token, or a scanner, from filling the log and the registry's queue.
 */
export function createAttempts(
  app: FastifyInstance,
  { failedTokensPerMinute }: RateLimits,
): Pick<AccessGate, 'checkAttempts' | 'countFailure'> {
  const failures = app.createRateLimit({ max: failedTokensPerMinute, timeWindow: 60_000 })
  return {
    checkAttempts: async (request: FastifyRequest) => {
      const state = await failures(request, { increment: false })
      if (state.isAllowed || state.remaining > 0) return
      throw new RequestRefused({
        code: 'attempts-limited',
        detail: `address: at most ${failedTokensPerMinute} failed tokens in a minute`,
        retryAfterSeconds: state.ttlInSeconds,
      })
    },
    countFailure: async (request) => {
      await failures(request)
    },
  }
}
