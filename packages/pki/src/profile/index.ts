export { claimPolicy, defaultProfiles } from './defaults.ts'
export { parseProfile } from './parse.ts'
export {
  type ExtendedKeyUsage,
  type KeyUsage,
  keyUsages,
  namedPurposes,
  type Profile,
  type ProfileIssuer,
  purposeName,
  purposeOid,
} from './profile.ts'
