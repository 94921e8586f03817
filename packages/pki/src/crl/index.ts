export { createCrl, type CrlOptions } from './create.ts'
export type { Crl, CrlExtensionFacts, IssuingDistributionPoint } from './crl.ts'
export { applyDelta, deltaEntries, type RevocationLookup } from './delta.ts'
export { CrlEntries, type RevokedCertificates } from './entries.ts'
export type { CrlEntry } from './entry.ts'
export { maxCrlBytes, parseCrl } from './parse.ts'
export {
  isRevocationReason,
  reasonCode,
  reasonName,
  type RevocationReason,
  revocationReasons,
} from './reason.ts'
export { verifyCrl } from './verify.ts'
