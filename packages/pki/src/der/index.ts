export { type DerLimits, defaultDerLimits } from './length.ts'
export { rememberOids } from './oid.ts'
export { DerReader, openDer, readDer, readDerInPlace } from './reader.ts'
export { type StringType } from './string.ts'
export { contextConstructed, contextPrimitive, Tag } from './tag.ts'
export {
  bitString,
  boolean,
  enumerated,
  explicit,
  generalizedTime,
  header,
  implicit,
  implicitSetOf,
  integer,
  namedBits,
  nullValue,
  octetString,
  oid,
  sequence,
  setOf,
  string,
  time,
  tlv,
  unsignedInteger,
} from './writer.ts'
