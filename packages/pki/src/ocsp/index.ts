export { buildOcspResponse, type FoundStatus, type OcspResponseOptions } from './build-response.ts'
export { type CertId, type CertIdHash, certIdMatches, createCertId } from './cert-id.ts'
export { type OcspError, ocspErrorResponse, ocspErrors } from './error-response.ts'
export {
  type BasicOcspResponse,
  maxOcspResponseBytes,
  type OcspResponse,
  parseOcspResponse,
  type ResponderId,
  type SingleResponse,
} from './parse-response.ts'
export {
  createOcspRequest,
  maxOcspRequestBytes,
  maxOcspRequestCertificates,
  type OcspRequest,
  parseOcspRequest,
} from './request.ts'
export type { OcspStatus, RevokedStatus } from './status.ts'
export { type OcspVerification, verifyOcspResponse } from './verify-response.ts'
