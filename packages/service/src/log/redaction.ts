import { KeyObject } from 'node:crypto'

const censored = '[redacted]'

// Ends of names, so that bootstrapToken, X-Token and challengePassword count but tokenId and publicKey do not.
const secretName =
  /(token|secret|password|passphrase|passwd|authorization|cookie|credential|privatekey|pfx)s?$/
const exactSecretNames = new Set(['key', 'keys', 'keypem', 'keyfilecontents'])

/** Whether a field of this name may hold a secret. */
export function isSecretName(name: string): boolean {
  const plain = name.toLowerCase().replace(/[^a-z0-9]/g, '')
  return exactSecretNames.has(plain) || secretName.test(plain)
}

/**
 * A copy of a log record without secrets: fields by their name at any depth, private keys by what they are.
 * Buffers become their length; what is deeper than 6 levels or circular is cut off.
 */
export function redact(value: Record<string, unknown>): Record<string, unknown> {
  return redactFields(value, 0, new Set())
}

function redactFields(value: object, depth: number, seen: Set<object>): Record<string, unknown> {
  seen.add(value)
  const copy: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(value)) {
    copy[name] = isSecretName(name) && field !== undefined ? censored : redactValue(field, depth + 1, seen)
  }
  seen.delete(value)
  return copy
}

function redactValue(value: unknown, depth: number, seen: Set<object>): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof KeyObject) return value.type === 'public' ? '[public key]' : censored
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`
  // Errors go to pino's serializer, dates to JSON; the pattern pass below still sees their text.
  if (value instanceof Error || value instanceof Date) return value
  if (seen.has(value)) return '[circular]'
  if (depth > 6) return '[deeper]'
  if (Array.isArray(value)) {
    seen.add(value)
    const copy = value.map((item) => redactValue(item, depth + 1, seen))
    seen.delete(value)
    return copy
  }
  return redactFields(value, depth, seen)
}

/**
 * The last gate, over the finished line of JSON: private keys in PEM (up to the end of the string when they are
 * cut off) and Authorization values wherever they stand, so that an error that quotes a request cannot leak them.
 */
export function redactText(line: string): string {
  return line
    .replace(/-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^"]*?(-----END \1PRIVATE KEY-----|(?=")|$)/g, censored)
    .replace(/\b(Bearer|Basic) +[A-Za-z0-9+/=._~-]{8,}/gi, `$1 ${censored}`)
}
