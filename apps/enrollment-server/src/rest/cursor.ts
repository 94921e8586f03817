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

/** A cursor of a list whose places are numbers. */
export const numberCursor = cursor.refine((text) => /^\d{1,15}$/.test(decodeCursor(text)), {
  error: 'must be the nextCursor of the page before',
})

/** How many items a page may have. */
export const pageLimit = z
  .string()
  .regex(/^(?:[1-9]\d{0,2}|1000)$/, { error: 'must be a number from 1 to 1000' })
  .transform(Number)
  .default(100)
