import type { Logger } from '@fleetroot/service'
import type { ProblemCode } from '../problem/codes.ts'
import type { Refusal } from '../problem/refusal.ts'
import { Allowance } from './allowance.ts'

/** What the log says of a refusal, besides its code and detail. */
export interface RefusedRequestFacts {
  readonly method?: string
  /** The route, or what was asked for where there is none. */
  readonly path?: string
  readonly address?: string | undefined
  /** Whose certificate it was, if that was looked at. */
  readonly id?: string | undefined
}

/**
 * No warnings: a client that asks without a credential to hear which one to send, which is how HTTP authentication begins,
 * an operator's program that registers again what is registered, and a device that waits for an operator.
 */
const ordinary: ReadonlySet<string> = new Set<ProblemCode>([
  'credential-missing',
  'device-exists',
  'approval-pending',
])

/** Takes a refusal into the log. */
export type LogRefusal = (refusal: Refusal, facts: RefusedRequestFacts) => void

/**
 * Returns the function that logs refusals, one line each, as warnings, so that an operator sees them without asking for
 * more. Anybody can be refused, so lines are written at a limited rate; the next one says how many were left out.
 */
export function createRefusalLog(
  logger: Pick<Logger, 'warn' | 'info'>,
  /** Milliseconds that only grow. */
  clockMs?: () => number,
): LogRefusal {
  const allowance = new Allowance(2, 20, clockMs)
  return ({ code, detail }, facts) => {
    const line = { decision: code, detail: detail.slice(0, 500), ...facts }
    if (ordinary.has(code)) {
      logger.info(line, 'request refused')
      return
    }
    const leftOut = allowance.take()
    if (leftOut === undefined) return
    logger.warn({ ...line, ...(leftOut > 0 && { leftOut }) }, 'request refused')
  }
}
