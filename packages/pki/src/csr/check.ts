import type { AdmittedSubject } from '../certificate/admitted-subject.ts'
import { type Extension, extensionOids } from '../extension/index.ts'
import { detectKeyAlgorithm, findKeyWeakness } from '../key/index.ts'
import { attributeName, attributeTypes, soleCommonName } from '../name/index.ts'
import { type ExtendedKeyUsage, type KeyUsage, type Profile, purposeOid } from '../profile/profile.ts'
import type { Csr } from './csr.ts'
import { findForeignAltName } from './foreign-alt-name.ts'

/** Why a CSR is not granted: every code of {@link CsrRefusal}. */
export const csrRefusalCodes = [
  'csr-ca-requested',
  'csr-common-name-invalid',
  'csr-common-name-other',
  'csr-extended-key-usage-not-allowed',
  'csr-extension-not-allowed',
  'csr-key-usage-not-allowed',
  'csr-key-weak',
  'csr-subject-alt-name-not-allowed',
  'csr-subject-not-allowed',
] as const

/** One of {@link csrRefusalCodes}. */
export type CsrRefusalCode = (typeof csrRefusalCodes)[number]

/** A refusal: a stable code, and a sentence for the sender that names the field and the fix. */
export interface CsrRefusal {
  readonly code: CsrRefusalCode
  readonly detail: string
}

/**
 * Whether what a CSR asks for is what its sender was admitted for: undefined when it is, else the first
 * reason why not. A CSR may ask for less than the profile gives, or for nothing but the key. What it asks for
 * in vain is refused, not dropped: the sender would believe it had it. Only extensions that this project does
 * not know, and that are not critical, are passed over, as RFC 5280 section 4.2 does.
 */
export function checkCsr(csr: Csr, profile: Profile, admitted: AdmittedSubject): CsrRefusal | undefined {
  return (
    checkKey(csr) ??
    checkSubject(csr, admitted) ??
    checkConstraints(csr, profile) ??
    checkKeyUsage(csr, profile) ??
    checkExtendedKeyUsage(csr, profile) ??
    checkAltNames(csr, profile, admitted) ??
    checkOtherExtensions(csr)
  )
}

function checkKey(csr: Csr): CsrRefusal | undefined {
  const weakness = findKeyWeakness(csr.publicKey)
  return weakness && { code: 'csr-key-weak', detail: `${weakness.detail} (${weakness.code})` }
}

function checkSubject({ subject }: Csr, admitted: AdmittedSubject): CsrRefusal | undefined {
  const stranger = subject.flat().find(({ type }) => type !== attributeTypes.CN)
  if (stranger !== undefined) {
    const detail = `subject: must hold nothing but the CN, remove ${attributeName(stranger.type)}`
    return { code: 'csr-subject-not-allowed', detail }
  }
  // An empty subject asks for no name; the certificate gets the admitted one.
  if (subject.length === 0) return undefined
  const sole = soleCommonName(subject)
  if ('refused' in sole) return { code: 'csr-common-name-invalid', detail: sole.detail }
  if (sole.commonName === admitted.id) return undefined
  return {
    code: 'csr-common-name-other',
    detail: `subject: the CN is not the id that the credential is for, which is "${admitted.id}"`,
  }
}

function checkConstraints({ basicConstraints }: Csr, profile: Profile): CsrRefusal | undefined {
  if (basicConstraints === undefined || profile.ca) return undefined
  if (basicConstraints.ca) {
    return {
      code: 'csr-ca-requested',
      detail: `basicConstraints: profile ${profile.name} does not make CAs, remove CA:TRUE`,
    }
  }
  if (basicConstraints.pathLength === undefined) return undefined
  return { code: 'csr-ca-requested', detail: 'basicConstraints: a path length is for CAs, remove it' }
}

function checkKeyUsage({ keyUsage, publicKey }: Csr, profile: Profile): CsrRefusal | undefined {
  const rsa = detectKeyAlgorithm(publicKey)?.startsWith('RSA') === true
  const allowed: KeyUsage[] = [...profile.keyUsage]
  if (profile.rsaKeyEncipherment && rsa) allowed.push('keyEncipherment')
  const stranger = keyUsage?.find((usage) => !allowed.includes(usage))
  if (stranger === undefined) return undefined
  return {
    code: 'csr-key-usage-not-allowed',
    detail: `keyUsage: profile ${profile.name} does not give ${stranger}, only ${allowed.join(', ')}`,
  }
}

function checkExtendedKeyUsage({ extendedKeyUsage }: Csr, profile: Profile): CsrRefusal | undefined {
  const allowed = profile.extendedKeyUsage.map(purposeOid)
  const stranger = extendedKeyUsage?.find(
    (purpose: ExtendedKeyUsage) => !allowed.includes(purposeOid(purpose)),
  )
  if (stranger === undefined) return undefined
  const given = profile.extendedKeyUsage.join(', ') || 'none'
  return {
    code: 'csr-extended-key-usage-not-allowed',
    detail: `extKeyUsage: profile ${profile.name} does not give ${stranger}, only ${given}`,
  }
}

function checkAltNames(csr: Csr, profile: Profile, admitted: AdmittedSubject): CsrRefusal | undefined {
  const stranger = findForeignAltName(csr.subjectAltNames, profile, admitted)
  if (stranger === undefined) return undefined
  return {
    code: 'csr-subject-alt-name-not-allowed',
    detail: `subjectAltName: ${stranger.type} ${JSON.stringify(stranger.value)} was not admitted for "${admitted.id}"`,
  }
}

// Checked above one by one. The key identifier is our own digest of the same key, whatever was asked.
const checked: readonly string[] = [
  extensionOids.basicConstraints,
  extensionOids.extendedKeyUsage,
  extensionOids.keyUsage,
  extensionOids.subjectAltName,
  extensionOids.subjectKeyIdentifier,
]
const known: readonly string[] = Object.values(extensionOids)

function checkOtherExtensions({ extensions }: Csr): CsrRefusal | undefined {
  const forbidden = ({ oid, critical }: Extension) =>
    !checked.includes(oid) && (critical || known.includes(oid))
  const stranger = extensions.find(forbidden)
  if (stranger === undefined) return undefined
  const critical = stranger.critical ? 'critical ' : ''
  return {
    code: 'csr-extension-not-allowed',
    detail: `extensions: the ${critical}extension ${stranger.oid} cannot be asked for, remove it`,
  }
}
