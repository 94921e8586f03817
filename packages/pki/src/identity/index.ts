export {
  certificateIdentity,
  type CertificateIdentity,
  type IdentityRefusal,
  type IdentityRefusalCode,
} from './certificate-identity.ts'
export { isRole, type Role, roles, rolesOfIssuer } from './role.ts'
export { isTrustDomain, parseSpiffeUri, type SpiffeIdentity, spiffeUri } from './spiffe.ts'
