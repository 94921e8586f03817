import type { KeyObject } from 'node:crypto'
import { bitString, readDerInPlace, sequence } from '../der/index.ts'
import { parseDeviceId } from '../device-id.ts'
import { PkiError } from '../error.ts'
import { spiffeUri } from '../identity/spiffe.ts'
import {
  encodeSignatureAlgorithm,
  exportPublicKey,
  findKeyWeakness,
  type SignatureAlgorithm,
  type Signer,
  verifySignature,
} from '../key/index.ts'
import { encodeName, nameOf, type SubjectAltName } from '../name/index.ts'
import type { Profile } from '../profile/profile.ts'
import type { SerialNumber } from '../serial.ts'
import type { AdmittedSubject } from './admitted-subject.ts'
import { assembleCertificate } from './assemble.ts'
import type { Certificate } from './certificate.ts'
import { readExtensionFacts } from './extension-facts.ts'
import { checkIssuer, type Issuer } from './issuer.ts'
import { type LintExpectation, lintTbsCertificate } from './lint.ts'
import { readTbsCertificate } from './tbs.ts'
import {
  type CertificateUrls,
  fillTemplate,
  keyIdentifier,
  makeTemplate,
  type TbsTemplate,
} from './template.ts'

/** What {@link issueCertificate} needs. Clock and serial are the caller's. */
export interface IssueOptions {
  readonly profile: Profile
  readonly issuer: Issuer
  readonly subject: AdmittedSubject
  readonly publicKey: KeyObject
  readonly serial: SerialNumber
  readonly now: Date
  readonly urls?: CertificateUrls
}

/**
 * Issues the certificate of a profile to an admitted subject: CN is the id, SAN is the SPIFFE URI of the
 * profile's role with the admitted DNS names and IP addresses. notBefore lies `backdateSeconds` before `now`,
 * notAfter `lifetimeSeconds` after it, both within the issuer's validity. The finished TBSCertificate is
 * parsed back and linted before the key signs it.
 *
 * @throws PkiError `issuance-refused` for a CA profile, names that the profile does not allow, a weak key, an
 * issuer that may not sign or is not valid at `now`; `key-mismatch` for a signer of another key;
 * `lint-failed` when the finished certificate is not what was decided, which is a bug; and what names and
 * times throw.
 */
export async function issueCertificate(options: IssueOptions): Promise<Certificate> {
  const { profile, issuer, subject, publicKey, serial, now, urls = {} } = options
  if (profile.ca) throw refuse(`profile ${profile.name} makes a CA; use createIssuingCertificate`)
  return issue({
    profile,
    signer: issuer.signer,
    issuer: issuer.certificate,
    subject: encodeName(nameOf({ commonName: parseDeviceId(subject.id) })),
    subjectAltNames: subjectAltNamesOf(profile, subject),
    publicKey,
    serial,
    now,
    urls,
  })
}

/** A decision about one certificate, for a leaf or a CA. `issuer` undefined: it signs itself. */
export interface IssueDecision {
  readonly profile: Profile
  readonly signer: Signer
  readonly issuer: Certificate | undefined
  /** Name, DER. */
  readonly subject: Buffer
  readonly subjectAltNames: readonly SubjectAltName[]
  readonly publicKey: KeyObject
  readonly serial: SerialNumber
  readonly now: Date
  readonly urls: CertificateUrls
}

/** Encodes, lints and signs. See {@link issueCertificate}. */
export async function issue(decision: IssueDecision): Promise<Certificate> {
  const { profile, signer, issuer, publicKey, now } = decision
  const weakness = findKeyWeakness(publicKey)
  if (weakness !== undefined) throw refuse(weakness.detail)
  const publicKeyInfo = exportPublicKey(publicKey)
  const isRsa = publicKey.asymmetricKeyType === 'rsa'
  const prepared = templateFor(decision, publicKeyInfo, isRsa)
  const tbs = fillTemplate(prepared.template, {
    ...decision,
    ...validity(profile, issuer, now),
    publicKeyInfo,
  })

  const expectation: LintExpectation = {
    ...decision,
    publicKeyInfo,
    isRsa,
    signatureAlgorithm: signer.algorithm,
  }
  const fields = readDerInPlace(tbs, 'TBSCertificate', readTbsCertificate)
  const facts = readExtensionFacts(fields.extensions)
  const findings = lintTbsCertificate(fields, facts, expectation)
  if (findings.length > 0) {
    const sentences = findings.map(({ field, detail }) => `${field} ${detail}`)
    throw new PkiError('lint-failed', `certificate was not signed: ${sentences.join('; ')}`)
  }

  const signature = await signer.sign(tbs)
  // Once per template, not per certificate (64 µs): a token that signs with another key is found out here.
  if (!prepared.isProven) {
    if (!(await verifySignature(signer.algorithm, signer.publicKey, tbs, signature))) {
      throw new PkiError(
        'key-mismatch',
        'issuer: signer made a signature that its own public key does not verify',
      )
    }
    prepared.isProven = true
  }
  const der = sequence(tbs, encodeSignatureAlgorithm(signer.algorithm), bitString(signature))
  return assembleCertificate(der, tbs, fields, facts, signature, publicKey)
}

/** The names of the certificate, role first. Refuses those that the profile does not allow. */
function subjectAltNamesOf(profile: Profile, subject: AdmittedSubject): SubjectAltName[] {
  const { id, trustDomain, dns = [], ip = [] } = subject
  const names: SubjectAltName[] = []
  if (profile.role !== undefined) names.push({ type: 'uri', value: spiffeUri(trustDomain, profile.role, id) })
  for (const value of dns) names.push({ type: 'dns', value })
  for (const value of ip) names.push({ type: 'ip', value })
  for (const { type, value } of names) {
    if (type !== 'uri' && !profile.subjectAltNames.some((allowed) => allowed === type)) {
      throw refuse(`subject: profile ${profile.name} allows no ${type} names, ${value} was admitted`)
    }
  }
  return names
}

/** RFC 5280, 4.1.2.5, in whole seconds. */
function validity(
  profile: Profile,
  issuer: Certificate | undefined,
  now: Date,
): { notBefore: Date; notAfter: Date } {
  if (Number.isNaN(now.getTime())) throw refuse('now: must be a valid date')
  const second = Math.floor(now.getTime() / 1000) * 1000
  const notBefore = second - profile.backdateSeconds * 1000
  const notAfter = second + profile.lifetimeSeconds * 1000
  if (issuer === undefined) return { notBefore: new Date(notBefore), notAfter: new Date(notAfter) }
  if (now < issuer.notBefore)
    throw refuse(`issuer: is valid from ${issuer.notBefore.toISOString()}; check the clock`)
  if (issuer.notAfter <= now)
    throw refuse(`issuer: expired at ${issuer.notAfter.toISOString()}; make a new CA`)
  return {
    notBefore: new Date(Math.max(notBefore, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(notAfter, issuer.notAfter.getTime())),
  }
}

interface PreparedTemplate {
  readonly signer: Signer
  readonly signatureAlgorithm: SignatureAlgorithm
  readonly urls: CertificateUrls
  readonly template: TbsTemplate
  /** Whether a signature that was made for it has been verified. */
  isProven: boolean
}

/** One template per issuer, profile and kind of key. The lint compares each result with the profile as it is now. */
const templates = new WeakMap<
  Certificate,
  WeakMap<Profile, { rsa?: PreparedTemplate; other?: PreparedTemplate }>
>()

function templateFor(decision: IssueDecision, publicKeyInfo: Buffer, isRsa: boolean): PreparedTemplate {
  const { profile, issuer, signer } = decision
  const signatureAlgorithm = signer.algorithm
  // Copied: the caller's object may change while the template lives.
  const urls = { ...decision.urls }
  const prepare = (subjectDer: Buffer, subjectKeyId: string): PreparedTemplate => {
    for (const [field, url] of Object.entries(urls)) {
      // RFC 5280, 4.2.1.13 and 4.2.2.1: relying parties fetch these in the clear; what is signed needs no TLS.
      if (!/^https?:\/\/[!-~]+$/.test(url)) throw refuse(`urls: ${field} must be an http URL in ASCII`)
    }
    const names = { subjectDer, subjectKeyId }
    const template = makeTemplate({ profile, signatureAlgorithm, issuer: names, isRsa, urls })
    return { signer, signatureAlgorithm, urls, template, isProven: false }
  }
  if (issuer === undefined) return prepare(decision.subject, keyIdentifier(publicKeyInfo).toString('hex'))

  let ofIssuer = templates.get(issuer)
  if (ofIssuer === undefined) templates.set(issuer, (ofIssuer = new WeakMap()))
  let slots = ofIssuer.get(profile)
  if (slots === undefined) ofIssuer.set(profile, (slots = {}))
  const kind = isRsa ? 'rsa' : 'other'
  const known = slots[kind]
  if (
    known?.signer === signer &&
    sameUrls(known.urls, urls) &&
    known.signatureAlgorithm === signatureAlgorithm
  ) {
    return known
  }
  return (slots[kind] = prepare(issuer.subjectDer, checkIssuer({ certificate: issuer, signer })))
}

function sameUrls(one: CertificateUrls, other: CertificateUrls): boolean {
  return one.caIssuers === other.caIssuers && one.crl === other.crl && one.ocsp === other.ocsp
}

function refuse(problem: string): PkiError {
  return new PkiError('issuance-refused', problem)
}
