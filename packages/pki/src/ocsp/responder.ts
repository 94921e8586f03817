import type { Certificate } from '../certificate/index.ts'
import { PkiError } from '../error.ts'
import { verifySignature } from '../key/index.ts'

/** Pairs of CA and responder whose signature has been verified: it does not change, and costs 64 µs. */
const verified = new WeakMap<Certificate, WeakSet<Certificate>>()

/** Whether the CA answers itself: the same key, under the same name. */
export function isIssuerItself(responder: Certificate, issuer: Certificate): boolean {
  return (
    responder.publicKeyInfo.equals(issuer.publicKeyInfo) && responder.subjectDer.equals(issuer.subjectDer)
  )
}

/**
 * Why a certificate may not answer for a CA at this time; undefined: it may. It must be the CA's own, or one
 * that the CA itself issued for that purpose (RFC 6960 section 4.2.2.2): OCSPSigning, digitalSignature, no CA,
 * id-pkix-ocsp-nocheck (or its own revocation would have to be asked for, of the one that it answers for),
 * valid at `now`. Nobody else is asked, no chain is built.
 */
export async function findResponderFault(
  responder: Certificate,
  issuer: Certificate,
  now: Date,
): Promise<string | undefined> {
  if (isIssuerItself(responder, issuer)) return undefined
  if (!responder.issuerDer.equals(issuer.subjectDer)) return 'was not issued by the CA'
  if (responder.authorityKeyId !== issuer.subjectKeyId) return 'names another key than that of the CA'
  if (responder.basicConstraints?.ca === true) return 'is that of another CA'
  if (responder.extendedKeyUsage?.includes('OCSPSigning') !== true) return 'has no purpose OCSPSigning'
  if (responder.keyUsage?.includes('digitalSignature') === false) return 'may not sign'
  if (!responder.ocspNoCheck) return 'has no id-pkix-ocsp-nocheck'
  if (now < responder.notBefore) return `is valid from ${responder.notBefore.toISOString()}`
  if (responder.notAfter < now) return `expired at ${responder.notAfter.toISOString()}`
  const unknown = responder.extensions.find(({ oid, critical }) => critical && !knownCriticals.has(oid))
  if (unknown !== undefined) return `has the unknown critical extension ${unknown.oid}`
  return (await isSignedBy(responder, issuer)) ? undefined : 'was not signed by the CA'
}

/** keyUsage, subjectAltName, basicConstraints, extKeyUsage: what is looked at above, or names nobody here. */
const knownCriticals = new Set(['2.5.29.15', '2.5.29.17', '2.5.29.19', '2.5.29.37'])

async function isSignedBy(responder: Certificate, issuer: Certificate): Promise<boolean> {
  let responders = verified.get(issuer)
  if (responders === undefined) verified.set(issuer, (responders = new WeakSet<Certificate>()))
  if (responders.has(responder)) return true
  const { signatureAlgorithm, tbs, signature } = responder
  if (!(await verifySignature(signatureAlgorithm, issuer.publicKey, tbs, signature))) return false
  responders.add(responder)
  return true
}

/** As {@link findResponderFault}, as an exception under `code`. */
export async function requireResponder(
  responder: Certificate,
  issuer: Certificate,
  now: Date,
  code: 'ocsp-refused' | 'ocsp-untrusted',
): Promise<void> {
  const fault = await findResponderFault(responder, issuer, now)
  if (fault !== undefined) throw new PkiError(code, `OCSP responder: certificate ${fault}`)
}
