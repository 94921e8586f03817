import type { z } from 'zod'
import { parse } from 'yaml'

/** What a schema reads, seen through defaults, optionals and transforms. */
export type InputKind = 'text' | 'number' | 'boolean' | 'list' | 'mapping'

interface Definition {
  type: string
  innerType?: z.ZodType
  in?: z.ZodType
}

/** The kind of value that a schema takes in; decides how text from a flag or a variable is read. */
export function inputKind(schema: z.ZodType): InputKind {
  const definition = schema.def as unknown as Definition
  const inner = definition.innerType ?? definition.in
  if (inner) return inputKind(inner)
  switch (definition.type) {
    case 'number':
    case 'int':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'array':
    case 'tuple':
    case 'set':
      return 'list'
    case 'object':
    case 'record':
    case 'map':
      return 'mapping'
    default:
      return 'text'
  }
}

/**
 * Reads the text of a flag or variable as the schema's kind: `8883` → 8883, `yes` → true, `a,b` → ['a', 'b'],
 * `{a: 1}` → { a: 1 }. Text that does not read is handed on unchanged, so that the schema refuses it.
 */
export function readText(text: string, kind: InputKind): unknown {
  switch (kind) {
    case 'text':
      return text
    case 'number':
      // Number() would take '', ' ', '0x1F' and 'Infinity' as well.
      return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text
    case 'boolean':
      if (/^(true|yes|on|1)$/i.test(text)) return true
      return /^(false|no|off|0)$/i.test(text) ? false : text
    case 'list':
      if (text.trim().startsWith('[')) return readFlow(text)
      // Nothing is no entry, not one that is empty.
      return text.trim() === '' ? [] : text.split(',').map((part) => part.trim())
    case 'mapping':
      return readFlow(text)
    default:
      return kind satisfies never
  }
}

function readFlow(text: string): unknown {
  try {
    return parse(text)
  } catch {
    return text
  }
}
