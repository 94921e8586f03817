import { PkiError } from './error.ts'

declare const deviceId: unique symbol

/**
 * The name of a device: its certificate's only CN and, by default, its MQTT client id. The brand says that
 * the text went through {@link parseDeviceId}.
 */
export type DeviceId = string & { readonly [deviceId]: true }

/**
 * The grammar, for schemas that others read. ASCII only, and nothing that means anything in a topic (`/ + # $`),
 * in a distinguished name, in a URL or in a shell. The first character is a letter or a digit, which is what
 * refuses `.` and `..`.
 */
export const deviceIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** The longest device id, in characters. X.520 gives a CN the same bound (ub-common-name, RFC 5280 A.1). */
export const maxDeviceIdLength = 64

/** Whether the text is a device id. Never throws, whatever it is given. */
export function isDeviceId(text: string): text is DeviceId {
  return typeof text === 'string' && deviceIdPattern.test(text)
}

/**
 * Parses a device id: 1 to 64 of `A-Z a-z 0-9 . _ -`, beginning with a letter or a digit.
 *
 * @throws PkiError `device-id-invalid`, naming the first thing that is wrong
 */
export function parseDeviceId(text: string): DeviceId {
  if (isDeviceId(text)) return text
  throw new PkiError('device-id-invalid', `device id: ${whatIsWrong(text)}`)
}

function whatIsWrong(text: unknown): string {
  if (typeof text !== 'string') return `must be a string, not ${text === null ? 'null' : typeof text}`
  if (text === '') return 'must not be empty'
  if (text.length > maxDeviceIdLength) {
    return `has ${text.length} characters, at most ${maxDeviceIdLength} are allowed`
  }
  const stranger = /[^A-Za-z0-9._-]/u.exec(text)?.[0]
  // The character goes out as its code point: the message ends up in logs and terminals.
  if (stranger !== undefined) return `must not contain ${codePoint(stranger)}; use A-Z a-z 0-9 . _ -`
  return 'must begin with a letter or a digit'
}

function codePoint(character: string): string {
  const hex = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')
  return /^[!-~]$/.test(character) ? `"${character}" (U+${hex})` : `U+${hex}`
}
