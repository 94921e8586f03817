import type { RunPhase, Snapshot } from '../accounting/census.ts'
import type { View } from './view.ts'
import { count, elapsed, figure, line, percentileWords } from './words.ts'

/**
 * Lines for pipes, logs and continuous integration: what happened when it happened, and one line of figures
 * every `lineEveryMs` milliseconds in between, less often as the run grows old: a night is not 6,000 lines.
 */
export function plainView(options: { write: (text: string) => void; lineEveryMs?: number }): View {
  const { write, lineEveryMs = 5_000 } = options
  let phase: RunPhase | undefined
  let nextAt = 0
  return {
    everyMs: 500,
    say: (label, text) => write(`${line(label, text)}\n`),
    print: (lines) => write(lines.map((text) => `${text}\n`).join('')),
    show(state) {
      const elapsedMs = state.phase === 'publish' ? state.publishingMs : state.elapsedMs
      if (state.phase !== phase) {
        phase = state.phase
        nextAt = elapsedMs + lineEveryMs
      }
      if (elapsedMs < nextAt) return
      while (nextAt <= elapsedMs) nextAt += spacing(elapsedMs, lineEveryMs)
      const text = progressLine(state)
      if (text !== undefined) write(`${text}\n`)
    },
    close: () => undefined,
  }
}

function spacing(elapsedMs: number, lineEveryMs: number): number {
  if (elapsedMs < 60_000) return lineEveryMs
  return elapsedMs < 600_000 ? 6 * lineEveryMs : 60 * lineEveryMs
}

/** One line about a run in progress; undefined while there is nothing to count. */
export function progressLine(state: Snapshot): string | undefined {
  const failed = state.errors === 0 ? '' : `  ${count(state.errors, 'error')}: ${state.lastError ?? ''}`
  if (state.phase === 'register' || state.phase === 'settle') return undefined
  if (state.phase === 'arrive') {
    const identities = figure(state.enrolled + state.reused)
    return line(
      'arrive',
      `${elapsed(state.elapsedMs).padStart(6)}  ${identities} of ${figure(state.devices)} enrolled  ${figure(state.connected)} connected${failed}`,
    )
  }
  const { published, acknowledged } = state.messages
  return line(
    'publish',
    [
      elapsed(state.publishingMs).padStart(6),
      `${figure(state.online)} online`,
      `${figure(published)} published`,
      `${figure(acknowledged)} acknowledged`,
      `${figure(state.messages.delivered)} delivered`,
      `${figure(state.inFlight)} in flight`,
      ...(state.renewed > 0 ? [`${figure(state.renewed)} renewed`] : []),
      percentileWords(state.deliveryMs),
    ].join('  ') + failed,
  )
}
