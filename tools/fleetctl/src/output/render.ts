import type { Answer } from './answer.ts'
import { printable, printableJson, printableLines } from './printable.ts'

/** How answers are shown: JSON; for a human on a terminal; for a program that reads lines. */
export type Mode = 'json' | 'terminal' | 'lines'

/** An answer as text for stdout, every line ended. Control characters are escaped whoever sent them. */
export function render(answer: Answer, mode: Mode, isTerminal: boolean): string {
  if (mode === 'json') return `${printableJson(answer.json, isTerminal ? 2 : undefined)}\n`
  switch (answer.kind) {
    case 'table':
      return mode === 'terminal' ? table(answer.columns, answer.rows, answer.empty) : tabbed(answer.rows)
    case 'fields': {
      const fields = answer.fields.filter((field): field is [string, string] => field[1] !== undefined)
      const width = Math.max(0, ...fields.map(([label]) => label.length)) + 2
      return mode === 'terminal'
        ? lines(fields.map(([label, value]) => `${label.padEnd(width)}${printable(value)}`))
        : tabbed(fields)
    }
    case 'text':
      return answer.text === '' ? '' : `${printableLines(answer.text)}\n`
    default:
      return answer satisfies never
  }
}

function table(columns: readonly string[], rows: readonly (readonly string[])[], empty: string): string {
  if (rows.length === 0) return `${empty}\n`
  const shown = [columns.map((column) => column.toUpperCase()), ...rows.map((row) => row.map(printable))]
  const widths = columns.map((_, at) => Math.max(...shown.map((row) => row[at]?.length ?? 0)))
  return lines(
    shown.map((row) =>
      row
        .map((cell, at) => cell.padEnd((widths[at] ?? 0) + 2))
        .join('')
        .trimEnd(),
    ),
  )
}

/** What `cut` and `awk` read: no heading, a tab between. A tab inside a value is escaped like every control. */
function tabbed(rows: readonly (readonly string[])[]): string {
  return lines(rows.map((row) => row.map(printable).join('\t')))
}

function lines(texts: readonly string[]): string {
  return texts.map((text) => `${text}\n`).join('')
}
