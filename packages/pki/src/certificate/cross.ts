import { PkiError } from '../error.ts'
import { defaultProfiles } from '../profile/defaults.ts'
import type { Profile } from '../profile/profile.ts'
import type { SerialNumber } from '../serial.ts'
import type { Certificate } from './certificate.ts'
import { issue } from './issue.ts'
import { isIssuedBy } from './issued-by.ts'
import type { Issuer } from './issuer.ts'
import { keyIdentifier } from './template.ts'

/**
 * Certifies a CA a second time, by another CA: the same name, key and pathLenConstraint under another issuer. A new
 * root signed by the old one (newWithOld) lets who knows only the old root follow to the new; the old one signed
 * by the new (oldWithNew) is for the reverse (RFC 4210, section 4.4). An issuing CA keeps its key, and so every
 * certificate that it issued, when the root above it is replaced. It never outlives `subject` or the issuer.
 *
 * A root that is certified must have signed itself, which proves that its key is there. Whether an issuing CA may be
 * certified, and whether `subject` is who the caller thinks, is for the caller to know.
 *
 * @throws PkiError `issuance-refused` for a subject that is no CA, is not valid at `now`, or says of itself what its
 * key does not confirm, for a weak key, and for an issuer that may not sign; `key-mismatch`; `lint-failed` when both
 * have the same key, or an issuing CA would be above a CA
 */
export async function createCrossCertificate(options: {
  readonly issuer: Issuer
  /** The CA as it is certified already. */
  readonly subject: Certificate
  readonly serial: SerialNumber
  readonly now: Date
}): Promise<Certificate> {
  const { issuer, subject, serial, now } = options
  checkSubject(subject, now)
  return issue({
    profile: crossProfile(subject, now),
    signer: issuer.signer,
    issuer: issuer.certificate,
    subject: subject.subjectDer,
    subjectAltNames: [],
    publicKey: subject.publicKey,
    serial,
    now,
    urls: {},
  })
}

function checkSubject(subject: Certificate, now: Date): void {
  const refuse = (problem: string) => new PkiError('issuance-refused', `subject: certificate ${problem}`)
  if (subject.basicConstraints?.ca !== true || subject.keyUsage?.includes('keyCertSign') !== true) {
    throw refuse('is not that of a CA with keyCertSign')
  }
  // What it issued names it by its key identifier, and must find the new certificate as well.
  if (subject.subjectKeyId !== keyIdentifier(subject.publicKeyInfo).toString('hex')) {
    throw refuse('has another subjectKeyIdentifier than the hash of its key; make a new CA')
  }
  const isSelfIssued = subject.issuerDer.equals(subject.subjectDer)
  if (isSelfIssued && !isIssuedBy(subject, subject))
    throw refuse('is that of a root that did not sign itself')
  if (now < subject.notBefore)
    throw refuse(`is valid from ${subject.notBefore.toISOString()}; check the clock`)
  if (subject.notAfter <= now) throw refuse(`expired at ${subject.notAfter.toISOString()}; make a new CA`)
}

/** A root or an issuing CA, for as long as it is certified already. */
function crossProfile({ basicConstraints, notAfter }: Certificate, now: Date): Profile {
  const pathLength = basicConstraints?.pathLength
  const left = Math.floor(notAfter.getTime() / 1000) - Math.floor(now.getTime() / 1000)
  return {
    ...defaultProfiles.root,
    name: 'cross',
    issuer: 'root',
    ...(pathLength !== undefined && { pathLength }),
    lifetimeSeconds: left,
  }
}
