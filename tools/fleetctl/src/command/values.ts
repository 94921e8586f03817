import { isDeviceId, parseSerial, type SerialNumber } from '@fleetroot/pki'
import { usageError } from '../error.ts'
import type { Input } from './input.ts'
import type { OptionName } from './options.ts'

/** A device id on the command line, checked before anything is sent; `what` names the word. */
export function deviceIdOf(text: string | undefined, what = 'ID'): string {
  if (text !== undefined && isDeviceId(text)) return text
  throw usageError(
    `${what}: ${JSON.stringify(text)} is no device id: 1 to 64 letters, digits, ".", "_" or "-", beginning with a letter or a digit`,
  )
}

/** A serial number as openssl or we write it, in hexadecimal with or without colons. */
export function serialOf(text: string | undefined, what = 'SERIAL'): SerialNumber {
  try {
    return parseSerial(text ?? '')
  } catch {
    throw usageError(`${what}: ${JSON.stringify(text)} is no serial number in hexadecimal`)
  }
}

/** A duration in whole seconds; undefined where the flag was not given. */
export async function secondsOf(input: Input, name: OptionName): Promise<number | undefined> {
  const text = input.text(name)
  if (text === undefined) return undefined
  const { parseDuration, ServiceError } = await import('@fleetroot/service')
  try {
    return Math.ceil(parseDuration(text) / 1000)
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error
    throw usageError(`--${name}: ${JSON.stringify(text)} ${error.message}`)
  }
}

/** A whole number that is not negative; undefined where the flag was not given. */
export function countOf(input: Input, name: OptionName): number | undefined {
  const text = input.text(name)
  if (text === undefined) return undefined
  if (!/^\d{1,15}$/.test(text)) throw usageError(`--${name} must be a whole number`)
  return Number(text)
}
