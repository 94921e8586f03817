import { contextConstructed, integer, oid, sequence, setOf, tlv } from '../der/index.ts'
import { encodeExtendedKeyUsage, encodeExtension, encodeKeyUsage, extensionOids } from '../extension/index.ts'
import { attributeTypes } from '../name/index.ts'
import type { Profile } from '../profile/profile.ts'
import { attributeOids } from './attributes.ts'

const certificationRequestInfoTemplate = '1.2.840.113549.1.9.16.2.61'
const linking = [oid(attributeOids.challengePassword), oid(attributeOids.estIdentityLinking)]
const extensionReqTemplate = '1.2.840.113549.1.9.16.2.62'

/**
 * What a CSR for this profile may well hold, for the csrattrs of EST, in DER:
 *
 *     CsrAttrs  ::= SEQUENCE SIZE (0..MAX) OF AttrOrOID                             -- RFC 7030 section 4.5.2
 *     AttrOrOID ::= CHOICE { oid OBJECT IDENTIFIER, attribute Attribute }
 *
 * The extensions of the profile as an extensionRequest, for clients of RFC 7030, and the same with a CN to fill in as a
 * template, for those of RFC 9908, which look at nothing else:
 *
 *     CertificationRequestInfoTemplate ::= SEQUENCE {                               -- RFC 9908
 *       version       INTEGER { v1(0) },
 *       subject       NameTemplate OPTIONAL,              -- an attribute without a value is for the client to fill in
 *       subjectPKInfo [0] SubjectPublicKeyInfoTemplate OPTIONAL,
 *       attributes    [1] Attributes }
 *
 * Where the profile requires linking, challengePassword and, for clients of RFC 7894, estIdentityLinking stand there by their OIDs, and no
 * template, which has no way to say it.
 * Nothing of the key: every kind that is supported will do.
 */
export function encodeWantedAttributes(profile: Profile): Buffer {
  const keyUsage = encodeKeyUsage(profile.keyUsage)
  const extensions = [encodeExtension({ oid: extensionOids.keyUsage, critical: true, value: keyUsage })]
  if (profile.extendedKeyUsage.length > 0) {
    const value = encodeExtendedKeyUsage(profile.extendedKeyUsage)
    extensions.push(encodeExtension({ oid: extensionOids.extendedKeyUsage, critical: false, value }))
  }
  const request = attribute(attributeOids.extensionRequest, sequence(...extensions))
  if (profile.requireLinking) return sequence(...linking, request)
  const template = sequence(
    integer(0),
    sequence(setOf(sequence(oid(attributeTypes.CN)))),
    tlv(contextConstructed(1), attribute(extensionReqTemplate, sequence(...extensions))),
  )
  return sequence(request, attribute(certificationRequestInfoTemplate, template))
}

/** What a CSR should hold where nothing is known of its profile, except that it may have to be linked, in DER. */
export function encodeWantedLinking(): Buffer {
  return sequence(...linking)
}

function attribute(type: string, value: Buffer): Buffer {
  return sequence(oid(type), setOf(value))
}
