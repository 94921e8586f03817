import type { Certificate } from '../certificate/certificate.ts'
import { isDeviceId } from '../device-id.ts'
import { type CommonNameRefusalCode, soleCommonName } from '../name/index.ts'
import { parseSpiffeUri, type SpiffeIdentity } from './spiffe.ts'

/** Who a certificate says that its holder is. */
export type CertificateIdentity = SpiffeIdentity

/** Why a certificate has no identity here. */
export type IdentityRefusalCode =
  | CommonNameRefusalCode
  | 'common-name-not-device-id'
  | 'spiffe-uri-missing'
  | 'spiffe-uri-duplicate'
  | 'spiffe-uri-invalid'
  | 'identity-mismatch'

/** A certificate without identity: why, in a stable code and in a sentence. */
export interface IdentityRefusal {
  readonly refused: IdentityRefusalCode
  readonly detail: string
}

/**
 * The identity of a certificate: the id of its only CN, the role and trust domain of its only URI, a SPIFFE URI, both
 * naming the same id. Everything else is refused, as a value: two CNs, a multi-valued RDN, a CN in an old
 * string type or outside the DeviceId grammar, no URI or two, another id or an unknown role in it.
 *
 * It says nothing about trust: the caller has verified the chain, compares `trustDomain` with its own, and
 * checks that the issuing CA is the one for the role (docs/decisions/0003).
 *
 * @example const identity = certificateIdentity(certificate)
 *   if ('refused' in identity) return refuse(identity.refused, identity.detail)
 */
export function certificateIdentity(
  certificate: Pick<Certificate, 'subject' | 'subjectAltNames'>,
): CertificateIdentity | IdentityRefusal {
  const sole = soleCommonName(certificate.subject)
  if ('refused' in sole) return sole
  if (!isDeviceId(sole.commonName)) {
    return refuse(
      'common-name-not-device-id',
      'subject: the CN must be a device id: A-Z a-z 0-9 . _ -, 1 to 64',
    )
  }
  // X.509-SVID, section 2: one URI in all. A second one would be another reader's identity.
  const [uri, ...others] = certificate.subjectAltNames.filter(({ type }) => type === 'uri')
  if (uri === undefined)
    return refuse('spiffe-uri-missing', 'subjectAltName: must have a SPIFFE URI with the role')
  if (others.length > 0)
    return refuse('spiffe-uri-duplicate', 'subjectAltName: has several URIs, must have one')
  const identity = parseSpiffeUri(uri.value)
  if (identity === undefined) {
    return refuse(
      'spiffe-uri-invalid',
      'subjectAltName: the SPIFFE URI must be spiffe://<trust-domain>/<role>/<id> with a known role',
    )
  }
  if (identity.id !== sole.commonName) {
    return refuse('identity-mismatch', 'subject: the CN and the SPIFFE URI name different ids')
  }
  return identity
}

function refuse(refused: IdentityRefusalCode, detail: string): IdentityRefusal {
  return { refused, detail }
}
