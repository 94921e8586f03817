import { z } from 'zod'

/** Where a page of a list ended, as the API hands it out: opaque, so that its inside may change. */
export const cursor = z
  .string()
  .refine((text) => decodeCursor(text) !== '', { error: 'must be the nextCursor of the page before' })

/** The cursor for the page after this id. */
export function encodeCursor(lastId: string): string {
  return Buffer.from(lastId).toString('base64url')
}

/** The id in a cursor; empty for a text that is no cursor. */
export function decodeCursor(text: string): string {
  const decoded = Buffer.from(text, 'base64url')
  return decoded.toString('base64url') === text ? decoded.toString('utf8') : ''
}
