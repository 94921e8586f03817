import { readDer } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { readSignatureAlgorithm } from '../key/index.ts'
import { fromPem } from '../pem.ts'
import { assembleCertificate } from './assemble.ts'
import type { Certificate } from './certificate.ts'
import { readExtensionFacts } from './extension-facts.ts'
import { readTbsCertificate } from './tbs.ts'

/** A certificate of this system has under 1 KiB; the largest in public use are near 16 KiB. */
const limits = { maxBytes: 64 * 1024, maxDepth: 16 }

/** More than any bundle that is read here as a whole. */
const maximumCertificates = 1000

/**
 * Parses one certificate: DER, or a PEM text with exactly one CERTIFICATE block.
 *
 * Refuses what is not strict DER, versions 1 and 2, an extension that occurs twice, and signature algorithms
 * with SHA-1 or older. Whether it is trusted, valid now or made for a purpose is not asked here. The public
 * key is imported when it is first read.
 *
 * @throws PkiError `certificate-malformed`, `der-invalid`, `der-too-large`, `der-too-deep`, `pem-invalid`,
 * `serial-invalid`, `extension-invalid` or `signature-algorithm-unsupported`
 */
export function parseCertificate(pemOrDer: string | Uint8Array): Certificate {
  if (typeof pemOrDer !== 'string') return parseDer(pemOrDer)
  const [certificate, ...others] = parseCertificates(pemOrDer)
  if (certificate === undefined || others.length > 0) {
    throw new PkiError(
      'certificate-malformed',
      'certificate: the PEM text has several certificates, must have one',
    )
  }
  return certificate
}

/**
 * Parses every CERTIFICATE block of a PEM text, in its order. Other blocks (a key, say) are passed over.
 *
 * @throws PkiError as {@link parseCertificate}; `pem-invalid` when there is no CERTIFICATE block
 */
export function parseCertificates(pem: string): Certificate[] {
  const blocks = fromPem(pem).filter(({ label }) => label === 'CERTIFICATE')
  if (blocks.length === 0) throw new PkiError('pem-invalid', 'PEM: has no CERTIFICATE block')
  if (blocks.length > maximumCertificates) {
    throw new PkiError('pem-invalid', `PEM: has more than ${maximumCertificates} certificates`)
  }
  return blocks.map(({ der }) => parseDer(der))
}

/**
 *     Certificate  ::=  SEQUENCE  {                                     -- RFC 5280, 4.1
 *          tbsCertificate       TBSCertificate,
 *          signatureAlgorithm   AlgorithmIdentifier,
 *          signatureValue       BIT STRING  }
 */
function parseDer(bytes: Uint8Array): Certificate {
  const { der, value } = readDer(
    bytes,
    'certificate',
    (reader) =>
      reader.encoding((outer) => {
        const certificate = outer.sequence('certificate')
        const tbs = certificate.encoding(readTbsCertificate)
        const signatureAlgorithm = readSignatureAlgorithm(certificate, 'signatureAlgorithm')
        const signature = certificate.bitString('signatureValue')
        certificate.end('certificate')
        // RFC 5280, 4.1.1.2: the one that is signed must be the one that is used.
        if (signatureAlgorithm !== tbs.value.signatureAlgorithm) {
          throw new PkiError(
            'certificate-malformed',
            'certificate: signatureAlgorithm differs from signature',
          )
        }
        return { tbs: tbs.der, fields: tbs.value, signature }
      }),
    limits,
  )
  return assembleCertificate(
    der,
    value.tbs,
    value.fields,
    readExtensionFacts(value.fields.extensions),
    value.signature,
  )
}
