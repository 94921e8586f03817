export { type DeviceId, isDeviceId, maxDeviceIdLength, parseDeviceId } from './device-id.ts'
export { PkiError, type PkiErrorCode } from './error.ts'
export { fromPem, type PemBlock, type PemLabel, toPem } from './pem.ts'
export { newSerial, parseSerial, type SerialNumber } from './serial.ts'
export {
  detectKeyAlgorithm,
  exportPrivateKey,
  exportPublicKey,
  findKeyWeakness,
  generateKeyPair,
  generateKeyPairAsync,
  importPrivateKey,
  importPublicKey,
  keyAlgorithm,
  type KeyAlgorithm,
  keyAlgorithms,
  type KeyPair,
  keySigner,
  type KeyWeakness,
  type KeyWeaknessCode,
  publicKeyFingerprint,
  type SignatureAlgorithm,
  type Signer,
} from './key/index.ts'
export {
  commonNames,
  decodeName,
  encodeName,
  formatName,
  type Name,
  type NameAttribute,
  nameOf,
  type RelativeDistinguishedName,
  soleCommonName,
  type SoleCommonName,
  type SubjectAltName,
} from './name/index.ts'
export {
  checkCsr,
  createCsr,
  type Csr,
  type CsrOptions,
  type CsrRefusal,
  type CsrRefusalCode,
  csrRefusalCodes,
  maxCsrBytes,
  parseCsr,
} from './csr/index.ts'
export { decodeSubjectAltNames, encodeSubjectAltNames } from './name/index.ts'
