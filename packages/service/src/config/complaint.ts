import type { z } from 'zod'
import { suggestion } from './spelling.ts'

/** Says what a value must be, in our words; a message that the schema carries itself comes first. */
export const sentenceOf: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${nameOf(issue.expected)}`
    case 'too_small':
      return `must be at least ${bound(issue.origin, issue.minimum)}`
    case 'too_big':
      return `must be at most ${bound(issue.origin, issue.maximum)}`
    case 'invalid_value': {
      const allowed = issue.values.map(String)
      const meant = typeof issue.input === 'string' ? suggestion(issue.input, allowed) : ''
      return `must be ${allowed.length === 1 ? '' : 'one of '}${allowed.join(', ')}${meant}`
    }
    case 'invalid_format':
      return issue.format === 'regex'
        ? `must match ${String(issue.pattern)}`
        : `must be a valid ${issue.format}`
    case 'unrecognized_keys':
      return `has unknown keys: ${issue.keys.join(', ')}`
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`
    case 'custom':
    case 'invalid_element':
    case 'invalid_key':
    case 'invalid_union':
      return undefined
    default:
      return issue satisfies never
  }
}

const typeNames: Readonly<Record<string, string>> = {
  int: 'a whole number',
  number: 'a number',
  string: 'text (quote it in YAML)',
  boolean: 'true or false',
  array: 'a list',
  object: 'a mapping',
  record: 'a mapping',
}

function nameOf(type: string): string {
  return typeNames[type] ?? type
}

function bound(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `${limit} character${limit === 1 ? '' : 's'} long`
  return origin === 'array' ? `${limit} long` : String(limit)
}

/** A value for an error message: short and on one line. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
