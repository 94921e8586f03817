import type { AdmittedSubject } from '../certificate/admitted-subject.ts'
import { type Extension, extensionName, extensionOids } from '../extension/index.ts'
import { detectKeyAlgorithm, findKeyWeakness } from '../key/index.ts'
import { attributeName, attributeTypes, soleCommonName } from '../name/index.ts'
import { type ExtendedKeyUsage, type KeyUsage, type Profile, purposeOid } from '../profile/profile.ts'
import { attributeOids } from './attributes.ts'
import type { Csr } from './csr.ts'
import { findForeignAltName } from './foreign-alt-name.ts'
import type { CsrField } from './report.ts'

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

/** What becomes of a CSR: of each of its fields, and the first refusal, if there is one. */
export interface CsrJudgement {
  readonly fields: readonly CsrField[]
  readonly refusal?: CsrRefusal
}

/** One field, and the refusal that it is the reason of. */
interface Judged {
  readonly field: CsrField
  readonly refusal?: CsrRefusal
}

/**
 * Judges every field of a CSR by what its sender was admitted for. A CSR may ask for less than the profile gives,
 * or for nothing but the key. What it asks for in vain is refused, not dropped: the sender would believe it had
 * it. Only extensions that this project does not know, and that are not critical, are passed over, as RFC 5280
 * section 4.2 does.
 */
export function judgeCsr(csr: Csr, profile: Profile, admitted: AdmittedSubject): CsrJudgement {
  const judged = [
    judgeKey(csr),
    judgeSubject(csr, admitted),
    ...csr.extensions.map((extension) => judgeExtension(extension, csr, profile, admitted)),
    ...judgeAttributes(csr),
  ]
  const fields = judged.map(({ field }) => field)
  // In this order, so that one request always gets one answer, however it lists its extensions.
  const refused = judged.filter(({ refusal }) => refusal).sort((a, b) => rank(a) - rank(b))
  const refusal = refused[0]?.refusal
  return { fields, ...(refusal && { refusal }) }
}

/** Whether what a CSR asks for is what its sender was admitted for: undefined when it is, else the first reason why not. */
export function checkCsr(csr: Csr, profile: Profile, admitted: AdmittedSubject): CsrRefusal | undefined {
  return judgeCsr(csr, profile, admitted).refusal
}

const ranks = ['publicKey', 'subject', 'basicConstraints', 'keyUsage', 'extKeyUsage', 'subjectAltName']

function rank({ field }: Judged): number {
  const at = ranks.indexOf(field.field)
  return at < 0 ? ranks.length : at
}

const taken = (field: string): Judged => ({ field: { field, decision: 'taken' } })
const overridden = (field: string, reason: string): Judged => ({
  field: { field, decision: 'overridden', reason },
})
const refused = (field: string, code: CsrRefusalCode, detail: string): Judged => ({
  field: { field, decision: 'refused', reason: detail },
  refusal: { code, detail },
})

function judgeKey(csr: Csr): Judged {
  const weakness = findKeyWeakness(csr.publicKey)
  if (!weakness) return taken('publicKey')
  return refused('publicKey', 'csr-key-weak', `${weakness.detail} (${weakness.code})`)
}

function judgeSubject({ subject }: Csr, admitted: AdmittedSubject): Judged {
  const stranger = subject.flat().find(({ type }) => type !== attributeTypes.CN)
  if (stranger !== undefined) {
    const detail = `subject: must hold nothing but the CN, remove ${attributeName(stranger.type)}`
    return refused('subject', 'csr-subject-not-allowed', detail)
  }
  // An empty subject asks for no name; the certificate gets the admitted one.
  if (subject.length === 0) return overridden('subject', `it is empty, the certificate has CN=${admitted.id}`)
  const sole = soleCommonName(subject)
  if ('refused' in sole) return refused('subject', 'csr-common-name-invalid', sole.detail)
  if (sole.commonName === admitted.id) return taken('subject')
  return refused(
    'subject',
    'csr-common-name-other',
    `subject: the CN is not the id that the credential is for, which is "${admitted.id}"`,
  )
}

function judgeExtension(extension: Extension, csr: Csr, profile: Profile, admitted: AdmittedSubject): Judged {
  switch (extension.oid) {
    case extensionOids.basicConstraints:
      return judgeConstraints(csr, profile)
    case extensionOids.keyUsage:
      return judgeKeyUsage(csr, profile)
    case extensionOids.extendedKeyUsage:
      return judgeExtendedKeyUsage(csr, profile)
    case extensionOids.subjectAltName:
      return judgeAltNames(csr, profile, admitted)
    case extensionOids.subjectKeyIdentifier:
      return overridden('subjectKeyIdentifier', 'it is always the digest of the public key')
    default:
      return judgeOther(extension)
  }
}

function judgeConstraints({ basicConstraints }: Csr, profile: Profile): Judged {
  const field = 'basicConstraints'
  if (basicConstraints === undefined || profile.ca) return taken(field)
  if (basicConstraints.ca) {
    const detail = `basicConstraints: profile ${profile.name} does not make CAs, remove CA:TRUE`
    return refused(field, 'csr-ca-requested', detail)
  }
  if (basicConstraints.pathLength === undefined) return taken(field)
  return refused(field, 'csr-ca-requested', 'basicConstraints: a path length is for CAs, remove it')
}

function judgeKeyUsage({ keyUsage = [], publicKey }: Csr, profile: Profile): Judged {
  const rsa = detectKeyAlgorithm(publicKey)?.startsWith('RSA') === true
  const given: KeyUsage[] = [...profile.keyUsage]
  if (profile.rsaKeyEncipherment && rsa) given.push('keyEncipherment')
  const stranger = keyUsage.find((usage) => !given.includes(usage))
  if (stranger !== undefined) {
    const detail = `keyUsage: profile ${profile.name} does not give ${stranger}, only ${given.join(', ')}`
    return refused('keyUsage', 'csr-key-usage-not-allowed', detail)
  }
  if (keyUsage.length === given.length) return taken('keyUsage')
  return overridden('keyUsage', `the certificate has ${given.join(', ')}`)
}

function judgeExtendedKeyUsage({ extendedKeyUsage = [] }: Csr, profile: Profile): Judged {
  const allowed = profile.extendedKeyUsage.map(purposeOid)
  const stranger = extendedKeyUsage.find(
    (purpose: ExtendedKeyUsage) => !allowed.includes(purposeOid(purpose)),
  )
  const given = profile.extendedKeyUsage.join(', ') || 'none'
  if (stranger !== undefined) {
    const detail = `extKeyUsage: profile ${profile.name} does not give ${stranger}, only ${given}`
    return refused('extKeyUsage', 'csr-extended-key-usage-not-allowed', detail)
  }
  if (extendedKeyUsage.length === allowed.length) return taken('extKeyUsage')
  return overridden('extKeyUsage', `the certificate has ${given}`)
}

function judgeAltNames(csr: Csr, profile: Profile, admitted: AdmittedSubject): Judged {
  const stranger = findForeignAltName(csr.subjectAltNames, profile, admitted)
  if (stranger === undefined) return taken('subjectAltName')
  const { type, value } = stranger
  const isOfInventory = type === 'dns' || type === 'ip'
  return refused(
    'subjectAltName',
    'csr-subject-alt-name-not-allowed',
    `subjectAltName: ${type} ${JSON.stringify(value.slice(0, 100))} was not admitted for "${admitted.id}": remove it` +
      (isOfInventory ? ', or register the device with it' : ''),
  )
}

const known: readonly string[] = Object.values(extensionOids)

function judgeOther({ oid, critical }: Extension): Judged {
  const field = extensionName(oid) ?? `extension ${oid}`
  if (!critical && !known.includes(oid))
    return overridden(field, 'it is not known here, and not in the certificate')
  const detail = `extensions: the ${critical ? 'critical ' : ''}extension ${oid} cannot be asked for, remove it`
  return refused(field, 'csr-extension-not-allowed', detail)
}

const extensionRequests: readonly string[] = [
  attributeOids.extensionRequest,
  attributeOids.microsoftExtensionRequest,
]

function judgeAttributes({ attributes }: Csr): Judged[] {
  const named = Object.entries(attributeOids)
  return attributes
    .filter(({ type }) => !extensionRequests.includes(type))
    .map(({ type }) =>
      overridden(
        named.find(([, oid]) => oid === type)?.[0] ?? `attribute ${type}`,
        'it is no part of a certificate',
      ),
    )
}
