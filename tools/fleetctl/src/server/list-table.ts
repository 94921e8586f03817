import type { Context } from '../command/context.ts'
import type { Input } from '../command/input.ts'
import type { Answer } from '../output/answer.ts'
import { limitOf, listAll, moreNote } from './pages.ts'

/** A list of the server, and what is shown of each item: a heading for each column, and its text; undefined where there is none. */
export interface ListTable<Item> {
  /** What there are, in the plural: `certificates`. */
  readonly things: string
  readonly path: string
  readonly query: Readonly<Record<string, string | undefined>>
  readonly columns: Readonly<Record<string, (item: Item) => string | undefined>>
  /** Default: `no` and the things. */
  readonly empty?: string
}

/** Reads a list up to `--limit`, as a table and in JSON. */
export async function listTable<Item>(
  input: Input,
  context: Context,
  { things, path, query, columns, empty = `no ${things}` }: ListTable<Item>,
): Promise<Answer> {
  const limit = limitOf(input)
  const server = await context.server()
  const { items, more } = await listAll<Item>(server, `cannot list ${things}`, path, query, limit)
  return {
    kind: 'table',
    json: { items, more },
    columns: Object.keys(columns),
    rows: items.map((item) => Object.values(columns).map((text) => text(item) ?? '-')),
    empty,
    ...moreNote(more),
  }
}
