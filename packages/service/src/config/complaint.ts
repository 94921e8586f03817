import type { z } from 'zod'
import { suggestion } from './spelling.ts'

/** Says what a value must be, in our words; a message that the schema carries itself comes first. */
export const sentenceOf: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is missing' : `must be ${nameOf(issue.expected)}`
    case 'too_small':
      return `must ${verbOf(issue.origin)} at least ${bound(issue.origin, issue.minimum)}`
    case 'too_big':
      return `must ${verbOf(issue.origin)} at most ${bound(issue.origin, issue.maximum)}`
    case 'invalid_value': {
      const allowed = issue.values.map(String)
      const meant = typeof issue.input === 'string' ? suggestion(issue.input, allowed) : ''
      return `must be ${allowed.length === 1 ? '' : 'one of '}${allowed.join(', ')}${meant}`
    }
    case 'invalid_format':
      return issue.format === 'regex'
        ? `must match ${String(issue.pattern)}`
        : `must be ${formatNames[issue.format] ?? `a valid ${issue.format}`}`
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

const formatNames: Readonly<Record<string, string>> = {
  url: 'a URL: scheme://host, and :port where it is not the usual one',
  ipv4: 'an IPv4 address',
  ipv6: 'an IPv6 address',
}

function nameOf(type: string): string {
  return typeNames[type] ?? type
}

function verbOf(origin: string): string {
  return origin === 'array' ? 'have' : 'be'
}

function bound(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `${limit} character${limit === 1 ? '' : 's'} long`
  if (origin !== 'array') return String(limit)
  return `${limit} ${Number(limit) === 1 ? 'entry' : 'entries'}, separated by commas`
}

/** A value for an error message: short and on one line. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value)
  return text.length > 80 ? `${text.slice(0, 77)}…` : text
}
