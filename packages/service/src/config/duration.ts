import { z } from 'zod'
import { ServiceError } from '../error.ts'

const millisecondsPer = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
type Unit = keyof typeof millisecondsPer

const hint = 'write a number with a unit, such as 500ms, 20s, 15m, 1h or 30d'

/**
 * Milliseconds of a duration such as `500ms`, `20s`, `1.5h` or `1h30m`.
 * Throws ServiceError `duration-invalid`; a plain number is refused, because nobody can tell its unit.
 */
export function parseDuration(text: string): number {
  const trimmed = text.trim()
  if (trimmed === '0') return 0
  if (trimmed.startsWith('-')) throw new ServiceError('duration-invalid', `must not be negative; ${hint}`)
  if (/^\d+(\.\d+)?$/.test(trimmed)) {
    throw new ServiceError('duration-invalid', `has no unit; write ${trimmed}s for seconds or ${trimmed}ms`)
  }
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) {
    throw new ServiceError('duration-invalid', `is not a duration; ${hint}`)
  }
  let total = 0
  for (const [, amount, unit] of trimmed.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(amount) * millisecondsPer[unit as Unit]
  }
  if (!Number.isSafeInteger(Math.round(total))) throw new ServiceError('duration-invalid', 'is too long')
  return Math.round(total)
}

/** A duration for people: `1h30m`, `20s`, `500ms`. The opposite of parseDuration. */
export function formatDuration(ms: number): string {
  if (ms === 0) return '0s'
  let rest = Math.round(ms)
  let text = ''
  for (const unit of ['d', 'h', 'm', 's', 'ms'] as const) {
    const count = Math.floor(rest / millisecondsPer[unit])
    rest -= count * millisecondsPer[unit]
    if (count > 0) text += `${count}${unit}`
  }
  return text
}

const durationSchema = z
  .string({ error: ({ input }) => (typeof input === 'number' ? `has no unit; write ${input}s` : hint) })
  .transform((text, context) => {
    try {
      return parseDuration(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  })

/** The longest bound of a setting that a timer waits for: beyond 2^31-1 ms, 24.8 days, Node's timers fire at once. */
export const longestTimer = '24d'

/**
 * Schema of a setting that is a duration; the value is in milliseconds. `duration('20s')` gives it a default,
 * and `duration('20s', { atMost: longestTimer })` is for those that a timer waits for.
 */
export function duration(defaultText: string, bounds: { atMost?: string } = {}) {
  return bounded(bounds).prefault(defaultText)
}

/** A duration that may be left out: the value is milliseconds or undefined. */
export function optionalDuration(bounds: { atMost?: string } = {}) {
  return bounded(bounds).optional()
}

function bounded({ atMost }: { atMost?: string }) {
  const most = atMost === undefined ? Infinity : parseDuration(atMost)
  return durationSchema.refine((ms) => ms <= most, { error: `must be at most ${atMost}` })
}
