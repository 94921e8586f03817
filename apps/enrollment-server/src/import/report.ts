import type { ProblemCode } from '../problem/codes.ts'

/** What is wrong with a row: `field` where it is one. */
export interface RowError {
  readonly field?: string
  readonly message: string
}

/** A line of the answer to an import. */
export type ReportLine =
  | {
      readonly type: 'refused'
      /** Of the rows, from 1; and of the lines of the file. */
      readonly row: number
      readonly line: number
      readonly id?: string
      readonly code: ProblemCode
      readonly errors: readonly RowError[]
    }
  | ({ readonly type: 'progress' } & Tally)
  | ({ readonly type: 'done'; readonly dryRun: boolean; readonly notShown: number } & Tally)
  /** Nothing behind it was looked at; what was counted before it stays done. */
  | ({
      readonly type: 'stopped'
      readonly code: ProblemCode
      readonly detail: string
      readonly notShown: number
    } & Tally)

/** How many rows there were so far. */
export interface Tally {
  readonly rows: number
  readonly added: number
  readonly unchanged: number
  readonly refused: number
}

/**
 * Refused rows that are shown; the others are counted. The answer is written while the file is still coming in, and a client that
 * sends all of it before it reads must not make either side wait for the other: so the answer stays small.
 */
const mostShown = 1000

/** Counts rows, and renders what there is to say about them. */
export class Report {
  #tally = { rows: 0, added: 0, unchanged: 0, refused: 0 }
  #shown = 0

  get tally(): Tally {
    return { ...this.#tally }
  }

  get notShown(): number {
    return Math.max(0, this.#tally.refused - this.#shown)
  }

  /** Gives a row its number. */
  next(): number {
    this.#tally.rows += 1
    return this.#tally.rows
  }

  count(what: 'added' | 'unchanged'): void {
    this.#tally[what] += 1
  }

  /** The line for a refused row, unless there were too many. */
  refuse(refused: Omit<Extract<ReportLine, { type: 'refused' }>, 'type'>): string {
    this.#tally.refused += 1
    if (this.#shown >= mostShown) return ''
    this.#shown += 1
    return render({ type: 'refused', ...refused })
  }
}

/** A line of NDJSON. */
export function render(line: ReportLine): string {
  return `${JSON.stringify(line)}\n`
}
