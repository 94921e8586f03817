import type { FastifyInstance, FastifyRequest } from 'fastify'
import { RequestRefused } from '../problem/refusal.ts'
import type { AccessGate } from './access.ts'
import type { RateLimits } from './limits.ts'

/** What a stranger may try. */
export type Attempt = 'token' | 'idevid'

const named: Readonly<Record<Attempt, string>> = {
  token: 'failed tokens',
  idevid: 'refused manufacturer certificates',
}

/**
 * Counts what failed, for each client address and minute, and each kind by itself. 256 bits cannot be guessed: the limit keeps
 * a device that retries a dead token, or a scanner, from filling the log and the registry's queue, and certificates that lead nowhere
 * from taking the time of the thread that enrolls for everybody.
 */
export function createAttempts(
  app: FastifyInstance,
  { failedTokensPerMinute: max }: RateLimits,
): Pick<AccessGate, 'checkAttempts' | 'countFailure'> {
  const failures = {
    token: app.createRateLimit({ max, timeWindow: 60_000 }),
    idevid: app.createRateLimit({ max, timeWindow: 60_000 }),
  }
  return {
    checkAttempts: async (request: FastifyRequest, attempt) => {
      const state = await failures[attempt](request, { increment: false })
      if (state.isAllowed || state.remaining > 0) return
      throw new RequestRefused({
        code: 'attempts-limited',
        detail: `address: at most ${max} ${named[attempt]} in a minute`,
        retryAfterSeconds: state.ttlInSeconds,
      })
    },
    countFailure: async (request, attempt) => {
      await failures[attempt](request)
    },
  }
}
