import { attributeName } from './attribute.ts'
import type { Name, NameAttribute } from './name.ts'

/**
 * A name as text, most specific RDN first: `CN=pump-7,O=Example`. RFC 4514, with more escaped than it asks
 * for: every control, format and separator character, so that the text can go into a log or a terminal.
 * Two different names may still look alike to a reader; compare their DER, never this.
 */
export function formatName(name: Name): string {
  return name
    .toReversed()
    .map((rdn) => rdn.map(formatAttribute).join('+'))
    .join(',')
}

function formatAttribute({ type, value, encoding }: NameAttribute): string {
  return `${attributeName(type)}=${encoding === 'other' ? `#${value}` : escapeValue(value)}`
}

function escapeValue(value: string): string {
  return value
    .replaceAll(/["+,;<>\\]/g, String.raw`\$&`)
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, hexPairs)
    .replace(/(?<=.) $/, String.raw`\ `)
    .replace(/^[ #]/, String.raw`\$&`)
}

function hexPairs(character: string): string {
  return Buffer.from(character, 'utf8')
    .toString('hex')
    .replaceAll(/../g, String.raw`\$&`)
}
