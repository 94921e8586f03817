export { type BasicConstraints, decodeBasicConstraints, encodeBasicConstraints } from './basic-constraints.ts'
export { decodeExtendedKeyUsage, encodeExtendedKeyUsage } from './extended-key-usage.ts'
export { encodeExtension, type Extension, extensionName, extensionOids, readExtensions } from './extension.ts'
export { decodeKeyUsage, encodeKeyUsage } from './key-usage.ts'
