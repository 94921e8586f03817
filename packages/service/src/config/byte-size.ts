import { z } from 'zod'
import { ServiceError } from '../error.ts'

const bytesPer = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const
type Unit = keyof typeof bytesPer

const hint = 'write a number with a unit, such as 512B, 128KiB, 64MiB or 1GB'

/**
 * Bytes of a size such as `128KiB` (1024) or `64kB` (1000); units are case sensitive except that `KB` is `kB`.
 * Throws ServiceError `byte-size-invalid`; a plain number is refused, because nobody can tell its unit.
 */
export function parseByteSize(text: string): number {
  const trimmed = text.trim()
  if (trimmed === '0') return 0
  if (/^\d+(\.\d+)?$/.test(trimmed)) {
    throw new ServiceError('byte-size-invalid', `has no unit; write ${trimmed}B for bytes or ${trimmed}KiB`)
  }
  const [, amount, unit] = /^(\d+(?:\.\d+)?) ?([a-zA-Z]+)$/.exec(trimmed) ?? []
  const known = unit === 'KB' ? 'kB' : unit
  if (amount === undefined || known === undefined || !(known in bytesPer)) {
    throw new ServiceError('byte-size-invalid', `is not a size; ${hint}`)
  }
  const bytes = Number(amount) * bytesPer[known as Unit]
  if (!Number.isSafeInteger(bytes))
    throw new ServiceError('byte-size-invalid', 'is not a whole number of bytes')
  return bytes
}

const byteSizeSchema = z
  .string({ error: ({ input }) => (typeof input === 'number' ? `has no unit; write ${input}B` : hint) })
  .transform((text, context) => {
    try {
      return parseByteSize(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  })

/** Schema of a setting that is a size; the value is in bytes. `byteSize('128KiB')` gives it a default. */
export function byteSize(defaultText: string) {
  return byteSizeSchema.prefault(defaultText)
}
