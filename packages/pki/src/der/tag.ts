/** The identifier octets that X.509 and its neighbours use (X.690 section 8.1.2). */
export const Tag = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  numericString: 0x12,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visibleString: 0x1a,
  universalString: 0x1c,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const

/** The identifier octet of `[n]`, primitive: an IMPLICIT tag on a primitive type. n is 0 to 30. */
export function contextPrimitive(n: number): number {
  return 0x80 | n
}

/** The identifier octet of `[n]`, constructed: an EXPLICIT tag, or an IMPLICIT one on a SEQUENCE or SET. n is 0 to 30. */
export function contextConstructed(n: number): number {
  return 0xa0 | n
}

const names = new Map<number, string>(Object.entries(Tag).map(([name, tag]) => [tag, name]))

/** A tag in words, for an error message. */
export function tagName(tag: number): string {
  if (tag >= 0x80 && tag < 0xc0) return `[${tag & 0x1f}]`
  return names.get(tag) ?? `tag 0x${tag.toString(16).padStart(2, '0')}`
}
