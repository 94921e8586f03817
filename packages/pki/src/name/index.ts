export { attributeName, attributeTypes } from './attribute.ts'
export {
  type CommonNameRefusalCode,
  commonNames,
  soleCommonName,
  type SoleCommonName,
} from './common-name.ts'
export { formatName } from './format.ts'
export { formatIpAddress, parseIpAddress } from './ip-address.ts'
export {
  decodeName,
  encodeName,
  type Name,
  type NameAttribute,
  nameOf,
  readName,
  type RelativeDistinguishedName,
} from './name.ts'
export {
  decodeSubjectAltNames,
  encodeSubjectAltNames,
  isSubjectAltName,
  type SubjectAltName,
} from './subject-alt-name.ts'
