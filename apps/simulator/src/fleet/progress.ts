import { type Census, type RunPhase, snapshot } from '../accounting/census.ts'
import type { Clock } from '../schedule/agenda.ts'
import type { View } from '../view/view.ts'

/** Keeps a view up to date. */
export interface Progress {
  /** The run comes to its next phase. */
  enter(phase: RunPhase): void
  close(): void
}

/** Shows the census to the view as often as the view wants to see it, until closed. */
export function watchProgress(options: {
  census: Census
  clock: Clock
  view: View
  durationMs: number | undefined
}): Progress {
  const { census, clock, view, durationMs } = options
  const startedAt = clock.now()
  let phase: RunPhase = 'register'
  let publishingSince = startedAt

  const show = (): void => {
    const now = clock.now()
    view.show(
      snapshot(census, {
        phase,
        elapsedMs: now - startedAt,
        publishingMs: now - publishingSince,
        durationMs,
      }),
    )
  }
  const timer = setInterval(show, view.everyMs)
  return {
    enter(next) {
      phase = next
      if (next === 'publish') publishingSince = clock.now()
    },
    close: () => clearInterval(timer),
  }
}
