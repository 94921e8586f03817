import type { z } from 'zod'

const alternatives = new Intl.ListFormat('en-GB', { type: 'disjunction' })

/** `a`, `a or b`, `a, b or c`. */
export function either(words: Iterable<string>): string {
  return alternatives.format(words)
}

/** Says what a field must be, in our words; a message that its schema carries itself comes first. */
export const fieldComplaint: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined
        ? 'is missing'
        : `must be ${typeNames[issue.expected] ?? issue.expected}`
    case 'too_small':
      return `must be at least ${sizeOf(issue.origin, issue.minimum)}`
    case 'too_big':
      return `must be at most ${sizeOf(issue.origin, issue.maximum)}`
    case 'invalid_value':
      return `must be ${either(issue.values.map((value) => JSON.stringify(value)))}`
    case 'unrecognized_keys':
      return `has fields that are not known here: ${shown(issue.keys)}`
    case 'invalid_key':
      return 'has a name that it must not have: 1 to 63 characters'
    case 'invalid_format':
    case 'not_multiple_of':
    case 'invalid_union':
    case 'invalid_element':
    case 'custom':
      return 'has a form that it must not have'
    default:
      return issue satisfies never
  }
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'a JSON object',
  record: 'a JSON object',
}

function sizeOf(origin: string, limit: number | bigint): string {
  if (origin === 'string') return `${limit} character${Number(limit) === 1 ? '' : 's'} long`
  return origin === 'array' ? `${limit} entr${Number(limit) === 1 ? 'y' : 'ies'} long` : String(limit)
}

/** Names that a client has chosen: quoted, short and few. */
function shown(names: readonly string[]): string {
  const some = names.slice(0, 3).map((name) => JSON.stringify(name.slice(0, 40)))
  return some.join(', ') + (names.length > some.length ? ` and ${names.length - some.length} more` : '')
}
