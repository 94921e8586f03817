import { extensionOids } from '../extension/index.ts'
import type { SignatureAlgorithm } from '../key/index.ts'
import { formatIpAddress, parseIpAddress, type SubjectAltName } from '../name/index.ts'
import { type Profile, purposeName } from '../profile/profile.ts'
import type { SerialNumber } from '../serial.ts'
import type { ExtensionFacts } from './certificate.ts'
import type { TbsCertificate } from './tbs.ts'
import { type CertificateUrls, keyIdentifier, profileKeyUsage } from './template.ts'

/** One way in which a finished TBSCertificate is not what was decided. */
export interface LintFinding {
  /** The field of RFC 5280, for example `notAfter`. */
  readonly field: string
  readonly detail: string
}

/** The decision that the certificate must carry out, apart from how it was encoded. */
export interface LintExpectation {
  readonly profile: Profile
  readonly now: Date
  readonly serial: SerialNumber
  /** Name, DER. */
  readonly subject: Buffer
  readonly subjectAltNames: readonly SubjectAltName[]
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKeyInfo: Buffer
  readonly isRsa: boolean
  readonly urls: CertificateUrls
  readonly signatureAlgorithm: SignatureAlgorithm
  /** The CA that is about to sign; undefined: the certificate signs itself. */
  readonly issuer: LintIssuer | undefined
}

/** What the lint compares with the certificate of the CA. */
export interface LintIssuer {
  readonly subjectDer: Buffer
  readonly publicKeyInfo: Buffer
  readonly subjectKeyId: string | undefined
  readonly notBefore: Date
  readonly notAfter: Date
  readonly basicConstraints: { readonly ca: boolean; readonly pathLength?: number | undefined } | undefined
}

/** The extensions that a profile can lead to, and whether each is critical (RFC 5280, 4.2.1). */
const criticality: Readonly<Record<string, boolean>> = {
  [extensionOids.basicConstraints]: true,
  [extensionOids.keyUsage]: true,
  [extensionOids.extendedKeyUsage]: false,
  [extensionOids.subjectAltName]: false,
  [extensionOids.subjectKeyIdentifier]: false,
  [extensionOids.authorityKeyIdentifier]: false,
  [extensionOids.certificatePolicies]: false,
  [extensionOids.cRLDistributionPoints]: false,
  [extensionOids.authorityInfoAccess]: false,
  [extensionOids.ocspNoCheck]: false,
}

/**
 * Compares a finished TBSCertificate, parsed back from its DER, with the decision. The last gate before the
 * CA signs: whatever encoded the certificate, nothing that this function does not expect gets a signature.
 *
 * @returns every finding; an empty list lets the certificate pass.
 */
export function lintTbsCertificate(
  tbs: TbsCertificate,
  facts: ExtensionFacts,
  expected: LintExpectation,
): LintFinding[] {
  const findings: LintFinding[] = []
  const check: Check = (field, holds, detail) => {
    if (!holds) findings.push({ field, detail })
  }
  lintFields(tbs, expected, check)
  lintValidity(tbs, expected, check)
  lintExtensions(facts, expected, check)
  lintNames(facts, expected, check)
  lintKeyIds(facts, expected, check)
  return findings
}

type Check = (field: string, holds: boolean, detail: string) => void

function lintFields(tbs: TbsCertificate, expected: LintExpectation, check: Check): void {
  const issuerName = expected.issuer?.subjectDer ?? expected.subject
  check('serialNumber', tbs.serial === expected.serial, 'must be the serial that was given')
  check('signature', tbs.signatureAlgorithm === expected.signatureAlgorithm, 'must be that of the issuer key')
  check('issuer', tbs.issuerDer.equals(issuerName), 'must be the subject of the issuer, octet by octet')
  check('subject', tbs.subjectDer.equals(expected.subject), 'must be the admitted subject and nothing else')
  const key = tbs.publicKeyInfo
  check('subjectPublicKeyInfo', key.equals(expected.publicKeyInfo), 'must be the key that was given')
  // A leaf with the CA's key could sign in its name: refused whatever the profile says.
  const isIssuerKey = expected.issuer !== undefined && key.equals(expected.issuer.publicKeyInfo)
  check('subjectPublicKeyInfo', !isIssuerKey, 'must not be the key of the issuer')
}

function lintValidity(tbs: TbsCertificate, expected: LintExpectation, check: Check): void {
  const { profile, now, issuer } = expected
  const second = Math.floor(now.getTime() / 1000) * 1000
  const earliest = second - profile.backdateSeconds * 1000
  const notBefore = Math.max(earliest, issuer?.notBefore.getTime() ?? earliest)
  const latest = second + profile.lifetimeSeconds * 1000
  const notAfter = Math.min(latest, issuer?.notAfter.getTime() ?? latest)
  const backdate = `must be ${profile.backdateSeconds} s before issuance, within the issuer's validity`
  check('notBefore', tbs.notBefore.getTime() === notBefore, backdate)
  check('notBefore', tbs.notBefore <= now, 'must not lie in the future')
  const lifetime = `must be ${profile.lifetimeSeconds} s after issuance, never past the issuer's notAfter`
  check('notAfter', tbs.notAfter.getTime() === notAfter, lifetime)
  check('notAfter', tbs.notAfter > now, 'must lie in the future')
}

function lintExtensions(facts: ExtensionFacts, expected: LintExpectation, check: Check): void {
  const { profile, isRsa, urls, issuer } = expected
  for (const { oid, critical } of facts.extensions) {
    const mustBeCritical = Object.hasOwn(criticality, oid) ? criticality[oid] : undefined
    if (mustBeCritical === undefined) check('extensions', false, `must not have ${oid}`)
    else if (critical !== mustBeCritical) {
      check('extensions', false, `${oid} must ${mustBeCritical ? '' : 'not '}be critical`)
    }
  }
  const constraints = facts.basicConstraints
  check('basicConstraints', constraints?.ca === profile.ca, `cA must be ${profile.ca}`)
  check(
    'basicConstraints',
    constraints?.pathLength === profile.pathLength,
    "pathLenConstraint must be the profile's",
  )
  const mayHaveCas = issuer === undefined || issuer.basicConstraints?.pathLength !== 0
  check(
    'basicConstraints',
    !profile.ca || mayHaveCas,
    'cA must be false below an issuer with pathLenConstraint 0',
  )
  check('keyUsage', sameSet(facts.keyUsage, profileKeyUsage(profile, isRsa)), "must be exactly the profile's")
  const encipherment = facts.keyUsage?.includes('keyEncipherment') === true
  const asked = profile.rsaKeyEncipherment || profile.keyUsage.includes('keyEncipherment')
  check(
    'keyUsage',
    !encipherment || (isRsa && asked),
    'keyEncipherment is for RSA keys of profiles that ask for it',
  )
  // A profile may give a named purpose by its object identifier; the facts have the name.
  const purposes = profile.extendedKeyUsage.map((purpose) => purposeName(purpose))
  check('extKeyUsage', sameSet(facts.extendedKeyUsage ?? [], purposes), "must be exactly the profile's")
  check('certificatePolicies', sameSet(facts.policies, profile.policies), "must be exactly the profile's")
  check('ocspNoCheck', facts.ocspNoCheck === profile.ocspNoCheck, "must be the profile's")
  check('cRLDistributionPoints', sameSet(facts.crlUrls, listOf(urls.crl)), 'must be the URL that was given')
  check(
    'authorityInfoAccess',
    sameSet(facts.caIssuersUrls, listOf(urls.caIssuers)),
    'caIssuers must be as given',
  )
  check('authorityInfoAccess', sameSet(facts.ocspUrls, listOf(urls.ocsp)), 'ocsp must be as given')
}

function lintNames(facts: ExtensionFacts, expected: LintExpectation, check: Check): void {
  const { profile, subjectAltNames } = expected
  const names = facts.subjectAltNames
  const isSame = sameSet(names.map(nameKey), subjectAltNames.map(nameKey))
  check('subjectAltName', isSame, 'must be exactly the admitted names')
  const uris = names.filter(({ type }) => type === 'uri')
  const wanted = profile.role === undefined ? 0 : 1
  check('subjectAltName', uris.length === wanted, `must have ${wanted} URI`)
  if (profile.role !== undefined) {
    const isRole = uris[0]?.value.split('/')[3] === profile.role
    check('subjectAltName', isRole, `the SPIFFE URI must say ${profile.role}`)
  }
  for (const { type } of names) {
    const isAllowed = type === 'uri' || profile.subjectAltNames.some((allowed) => allowed === type)
    check('subjectAltName', isAllowed, `${type} names are not allowed by the profile`)
  }
}

function lintKeyIds(facts: ExtensionFacts, expected: LintExpectation, check: Check): void {
  const own = keyIdentifier(expected.publicKeyInfo).toString('hex')
  const issuers = expected.issuer === undefined ? own : expected.issuer.subjectKeyId
  check('subjectKeyIdentifier', facts.subjectKeyId === own, 'must be the hash of the public key')
  const isIssuers = issuers !== undefined && facts.authorityKeyId === issuers
  check('authorityKeyIdentifier', isIssuers, "must be the issuer's subjectKeyIdentifier")
}

/** IP addresses have several spellings; everything else is compared as it stands. */
function nameKey({ type, value }: SubjectAltName): string {
  return `${type}:${type === 'ip' ? formatIpAddress(parseIpAddress(value)) : value}`
}

function listOf(url: string | undefined): string[] {
  return url === undefined ? [] : [url]
}

/** The same members, each once, in any order. */
function sameSet(found: readonly string[] | undefined, wanted: readonly string[]): boolean {
  return found !== undefined && found.length === wanted.length && wanted.every((item) => found.includes(item))
}
