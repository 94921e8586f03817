/** What an audit record may hold: JSON without fractions, which have more than one spelling. */
export type AuditValue = string | number | boolean | null | readonly AuditValue[] | AuditFields

/** An object in an audit record. Fields that are undefined are left out. */
export interface AuditFields {
  readonly [field: string]: AuditValue | undefined
}

/**
 * Writes a value in the one way that it can be written: no white space, the fields of every object sorted by their
 * UTF-16 code units, strings as `JSON.stringify` writes them (RFC 8785, sections 3.2.2 and 3.2.3).
 * @throws {TypeError} for numbers that are not safe integers
 */
export function canonicalJson(value: AuditValue): string {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new TypeError(`audit record: ${value} is not a safe integer`)
  }
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  // Texts are added up rather than joined from a list, which takes three times the memory.
  let written = ''
  if (Array.isArray(value)) {
    for (const item of value as readonly AuditValue[]) written += `${written && ','}${canonicalJson(item)}`
    return `[${written}]`
  }
  const fields = value as AuditFields
  for (const name of Object.keys(fields).sort()) {
    const field = fields[name]
    if (field !== undefined) written += `${written && ','}${JSON.stringify(name)}:${canonicalJson(field)}`
  }
  return `{${written}}`
}
