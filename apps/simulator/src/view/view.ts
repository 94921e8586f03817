import type { Snapshot } from '../accounting/census.ts'

/** How a run is shown while it lasts. */
export interface View {
  /** How often it wants to be shown the state, in milliseconds. */
  readonly everyMs: number
  /** A line that stays: something happened. `label` stands in a column of its own. */
  say(label: string, text: string): void
  /** The state of the run; the view decides how much of it to show. */
  show(state: Snapshot): void
  /** Lines that stay, printed as they are. */
  print(lines: readonly string[]): void
  /** Leaves the terminal as it was. */
  close(): void
}
