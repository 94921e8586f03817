import type { AuditHead } from '@fleetroot/service'
import type { Input } from '../command/input.ts'
import type { OptionName } from '../command/options.ts'
import { usageError } from '../error.ts'

/** The number and hash of a record, as audit verify prints them; undefined where the flag was not given. */
export function headOf(input: Pick<Input, 'text'>, name: OptionName): AuditHead | undefined {
  const text = input.text(name)
  if (text === undefined) return undefined
  const [, seq, hash] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text) ?? []
  if (seq !== undefined && hash !== undefined) return { seq: Number(seq), hash: hash.toLowerCase() }
  throw usageError(`--${name} must be a number and a hash, SEQ:HASH, as audit verify prints it`)
}
