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
  decodeSubjectAltNames,
  encodeName,
  encodeSubjectAltNames,
  formatIpAddress,
  formatName,
  isSubjectAltName,
  type Name,
  type NameAttribute,
  nameOf,
  parseIpAddress,
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
export type { BasicConstraints, Extension } from './extension/index.ts'
export {
  claimPolicy,
  defaultProfiles,
  type ExtendedKeyUsage,
  type KeyUsage,
  parseProfile,
  type Profile,
  type ProfileIssuer,
} from './profile/index.ts'
export {
  certificateIdentity,
  type CertificateIdentity,
  type IdentityRefusal,
  type IdentityRefusalCode,
  isRole,
  isTrustDomain,
  parseSpiffeUri,
  type Role,
  roles,
  rolesOfIssuer,
  type SpiffeIdentity,
  spiffeUri,
} from './identity/index.ts'
export {
  type AdmittedSubject,
  type AuthorityOptions,
  type Certificate,
  type CertificateUrls,
  createIssuingCertificate,
  createRootCertificate,
  describeCertificate,
  type ExtensionFacts,
  issueCertificate,
  type IssueOptions,
  type Issuer,
  parseCertificate,
  parseCertificates,
} from './certificate/index.ts'
export { decodeCertsOnly, encodeCertsOnly } from './pkcs7.ts'
export { type Pkcs12Contents, type Pkcs12Identity, readPkcs12, writePkcs12 } from './pkcs12/index.ts'
