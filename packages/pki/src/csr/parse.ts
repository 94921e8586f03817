import { readDer } from '../der/index.ts'
import { PkiError, type PkiErrorCode } from '../error.ts'
import {
  type CryptoThread,
  publicKeyFingerprint,
  readPublicKey,
  readSignatureAlgorithm,
  signatureFitsKey,
  verifySignature,
} from '../key/index.ts'
import { readName, soleCommonName } from '../name/index.ts'
import { readAttributes, requestedExtensionsOf, textOf } from './attributes.ts'
import type { Csr } from './csr.ts'

/** A CSR with an RSA-4096 key and a dozen names has 2 KiB. */
export const maxCsrBytes = 16 * 1024

/**
 * Parses a CSR in DER and proves possession: the signature is verified, on the threadpool unless told
 * otherwise, before anybody sees a field. RSA, ECDSA and Ed25519 with SHA-2; strict DER without trailing bytes.
 *
 * @throws PkiError (as a rejection) `csr-too-large`, `csr-malformed`, `csr-key-unsupported`,
 * `csr-signature-algorithm-unsupported`, or `csr-signature-invalid` when possession is not proven
 */
export async function parseCsr(
  der: Uint8Array,
  { thread = 'pool' }: { thread?: CryptoThread } = {},
): Promise<Csr> {
  const csr = readCsr(der)
  const { signatureAlgorithm, publicKey, info, signature } = csr
  if (await verifySignature(signatureAlgorithm, publicKey, info, signature, thread)) return csr
  throw new PkiError(
    'csr-signature-invalid',
    'CSR: the signature does not verify with the public key in the CSR',
  )
}

/**
 * The parsing half of {@link parseCsr}, which proves nothing: kept out of the package's index.
 *
 *     CertificationRequest ::= SEQUENCE {
 *       certificationRequestInfo  SEQUENCE {
 *         version        INTEGER { v1(0) },
 *         subject        Name,
 *         subjectPKInfo  SubjectPublicKeyInfo,
 *         attributes     [0] Attributes },
 *       signatureAlgorithm        AlgorithmIdentifier,
 *       signature                 BIT STRING }            -- RFC 2986 section 4
 */
export function readCsr(der: Uint8Array): Csr {
  try {
    return readCertificationRequest(der)
  } catch (error) {
    throw asCsrError(error)
  }
}

function readCertificationRequest(input: Uint8Array): Csr {
  return readDer(
    input,
    'CSR',
    (reader) => {
      const { der, value: request } = reader.encoding(() => reader.sequence('CSR'))
      const { der: info, value: fields } = request.encoding(() => {
        const fields = request.sequence('CSR')
        if (fields.smallInteger('CSR version') !== 0)
          throw new PkiError('csr-malformed', 'CSR: the version must be 0')
        const subject = readName(fields, 'CSR subject')
        const { key: publicKey, spki: publicKeyInfo } = readPublicKey(fields, 'CSR public key')
        const attributes = readAttributes(fields)
        fields.end('CSR')
        return { subject, publicKey, publicKeyInfo, attributes }
      })
      // mbedTLS 2 writes NULL here, against RFC 5758: nothing of this field gets into a certificate.
      const signatureAlgorithm = readSignatureAlgorithm(request, 'CSR signature algorithm', {
        strayNull: 'tolerated',
      })
      const signature = request.bitString('CSR signature')
      request.end('CSR')
      if (!signatureFitsKey(signatureAlgorithm, fields.publicKey)) {
        throw new PkiError(
          'csr-malformed',
          `CSR: ${signatureAlgorithm} is not an algorithm of its public key`,
        )
      }
      const commonName = soleCommonName(fields.subject)
      return {
        der,
        ...fields,
        commonName: 'commonName' in commonName ? commonName.commonName : undefined,
        publicKeyFingerprint: publicKeyFingerprint(fields.publicKeyInfo),
        challengePassword: textOf(fields.attributes, 'challengePassword'),
        estIdentityLinking: textOf(fields.attributes, 'estIdentityLinking'),
        ...requestedExtensionsOf(fields.attributes),
        info,
        signatureAlgorithm,
        signature,
      }
    },
    { maxBytes: maxCsrBytes },
  )
}

const csrCodes: Partial<Record<PkiErrorCode, PkiErrorCode>> = {
  'der-too-large': 'csr-too-large',
  'key-unsupported': 'csr-key-unsupported',
  'signature-algorithm-unsupported': 'csr-signature-algorithm-unsupported',
}

/** The same error under a code that says it is about a CSR. Anything that is not a PkiError is a bug and stays. */
function asCsrError(error: unknown): unknown {
  if (!(error instanceof PkiError) || error.code.startsWith('csr-')) return error
  const message = error.message.startsWith('CSR') ? error.message : `CSR: ${error.message}`
  return new PkiError(csrCodes[error.code] ?? 'csr-malformed', message, { cause: error })
}
