import { usageError } from '../error.ts'
import type { Input } from '../command/input.ts'
import type { Server } from './server.ts'

/** What a list has, as far as it was asked for. */
export interface Listed<Item> {
  readonly items: readonly Item[]
  /** There are more than were asked for. */
  readonly more: boolean
}

interface Page<Item> {
  readonly items: readonly Item[]
  readonly nextCursor?: string
}

const largestPage = 1000

/** Reads a list page by page, up to `--limit`. */
export async function listAll<Item>(
  server: Server,
  what: string,
  path: string,
  query: Readonly<Record<string, string | undefined>>,
  limit: number,
): Promise<Listed<Item>> {
  const items: Item[] = []
  for (let cursor: string | undefined; ;) {
    const wanted = Math.min(largestPage, limit - items.length)
    const page = await server.call<Page<Item>>(what, {
      method: 'GET',
      path: `${path}?${queryOf({ ...query, limit: String(wanted), cursor })}`,
    })
    items.push(...page.items)
    cursor = page.nextCursor
    if (cursor === undefined || items.length >= limit) return { items, more: cursor !== undefined }
  }
}

/** A query string of the fields that are there. */
export function queryOf(fields: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
  return new URLSearchParams(given).toString()
}

/** `--limit`; 0 is no limit. */
export function limitOf(input: Input): number {
  const text = input.text('limit')
  if (text === undefined) return 1000
  if (!/^\d{1,9}$/.test(text)) throw usageError('--limit must be a whole number; 0 for all')
  return Number(text) || Infinity
}

/** What a list says that was cut off. */
export function moreNote(more: boolean): { note?: string } {
  return more ? { note: 'there are more: --limit 0 shows all' } : {}
}
