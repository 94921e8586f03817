import { PkiError } from '../error.ts'
import { derProblem } from './problem.ts'
import { Tag } from './tag.ts'

/** The character string types of X.520's DirectoryString and of the attributes around it. */
export type StringType = 'utf8' | 'printable' | 'ia5' | 'numeric' | 'visible' | 'teletex' | 'bmp'

const tags: Record<StringType, number> = {
  utf8: Tag.utf8String,
  printable: Tag.printableString,
  ia5: Tag.ia5String,
  numeric: Tag.numericString,
  visible: Tag.visibleString,
  teletex: Tag.teletexString,
  bmp: Tag.bmpString,
}

const types = new Map<number, StringType>(
  Object.entries(tags).map(([type, tag]) => [tag, type as StringType]),
)

// X.680 section 41. Teletex has no rule that anybody follows: its octets are kept one to one.
const charsets: Partial<Record<StringType, RegExp>> = {
  printable: /^[A-Za-z0-9 '()+,\-./:=?]*$/,
  // eslint-disable-next-line no-control-regex -- IA5String is all of ASCII, NUL included
  ia5: /^[\u0000-\u007f]*$/,
  numeric: /^[0-9 ]*$/,
  visible: /^[ -~]*$/,
}

// `ignoreBOM` keeps a byte order mark as the character it is; dropping it would merge two names into one.
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Which string type a tag stands for; undefined for everything else, UniversalString included. */
export function stringType(tag: number): StringType | undefined {
  return types.get(tag)
}

/** The tag of a string type. */
export function stringTag(type: StringType): number {
  return tags[type]
}

/**
 * Decodes the content octets of a string. Control characters and NUL pass where the type allows them: what a
 * name may contain is for the reader of the name to say.
 *
 * @throws PkiError `der-invalid` for characters outside the type's set, and for broken UTF-8 or UTF-16
 */
export function decodeString(
  type: StringType,
  bytes: Buffer,
  start: number,
  end: number,
  what: string,
): string {
  if (type === 'utf8') {
    // Nearly every name: a decoder costs a microsecond for each.
    if (isAscii(bytes, start, end)) return bytes.toString('latin1', start, end)
    try {
      return utf8.decode(bytes.subarray(start, end))
    } catch {
      throw derProblem(what, 'not valid UTF-8', start)
    }
  }
  if (type === 'bmp') return decodeBmp(bytes, start, end, what)
  const text = bytes.toString('latin1', start, end)
  if (charsets[type]?.test(text) === false) {
    throw derProblem(what, `a character that ${type}String does not allow`, start)
  }
  return text
}

/** The content octets of a string. Refuses characters that the type cannot hold with PkiError `name-invalid`. */
export function encodeStringContent(type: StringType, text: string): Buffer {
  if (type === 'utf8' && text.isWellFormed()) return Buffer.from(text, 'utf8')
  // eslint-disable-next-line no-control-regex -- an octet each, which is what the expression says
  if (type === 'teletex' && /^[\u0000-\u00ff]*$/.test(text)) return Buffer.from(text, 'latin1')
  if (type === 'bmp' && !/[\ud800-\udfff]/.test(text)) return Buffer.from(text, 'utf16le').swap16()
  if (charsets[type]?.test(text) === true) return Buffer.from(text, 'latin1')
  throw new PkiError(
    'name-invalid',
    `string: ${JSON.stringify(text)} has a character that ${type}String cannot hold`,
  )
}

function isAscii(bytes: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at += 1) if ((bytes[at] ?? 0) >= 0x80) return false
  return true
}

function decodeBmp(bytes: Buffer, start: number, end: number, what: string): string {
  if ((end - start) % 2 !== 0) throw derProblem(what, 'a BMPString with half a character', start)
  const text = Buffer.from(bytes.subarray(start, end)).swap16().toString('utf16le')
  // BMPString is UCS-2: it has no surrogate pairs (X.680 section 41.16).
  if (/[\ud800-\udfff]/.test(text)) throw derProblem(what, 'a surrogate in a BMPString', start)
  return text
}
