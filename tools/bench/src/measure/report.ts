/** One measured quantity beside its peer or its limit. */
export interface Row {
  readonly what: string
  readonly ours: number
  readonly unit: string
  /** The peer's figure from the same run, where the peer is installed. */
  readonly peer?: { readonly name: string; readonly value: number }
  /** What must hold: the ratio ours / peer, or our own value, at most or at least this. */
  readonly budget?: { readonly of: 'ratio' | 'value'; readonly atMost?: number; readonly atLeast?: number }
}

const show = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : Number(value.toPrecision(3)).toString()

/** True where the row's budget holds, false where it does not, undefined where there is nothing to compare. */
export function withinBudget(row: Row): boolean | undefined {
  if (!row.budget) return undefined
  const value = row.budget.of === 'value' ? row.ours : row.peer && row.ours / row.peer.value
  if (value === undefined) return undefined
  return value <= (row.budget.atMost ?? Infinity) && value >= (row.budget.atLeast ?? -Infinity)
}

/** A row as a line: what, our figure, the peer's, the ratio, the budget and whether it holds. */
export function formatRow(row: Row): string {
  const parts = [`${row.what.padEnd(58)} ${show(row.ours).padStart(8)} ${row.unit}`]
  if (row.peer) {
    parts.push(`${row.peer.name} ${show(row.peer.value)} ${row.unit}`)
    parts.push(`ratio ${(row.ours / row.peer.value).toFixed(2)}`)
  }
  if (row.budget) {
    const bound = row.budget.atMost === undefined ? `≥ ${row.budget.atLeast}` : `≤ ${row.budget.atMost}`
    const holds = withinBudget(row)
    parts.push(
      `budget ${row.budget.of} ${bound}: ${holds === undefined ? 'no peer' : holds ? 'holds' : 'MISSED'}`,
    )
  }
  return parts.join('  |  ')
}

/** Prints a row. The process ends with status 1 when a budget does not hold. */
export function report(row: Row): void {
  console.log(formatRow(row))
  if (withinBudget(row) === false) process.exitCode = 1
}
