import type { Issuer } from '../certificate/index.ts'
import { bitString, header, integer, readDer, Tag, time } from '../der/index.ts'
import { PkiError } from '../error.ts'
import { readExtensions } from '../extension/index.ts'
import { encodeSignatureAlgorithm, exportPublicKey, type Signer, verifySignature } from '../key/index.ts'
import { toPem } from '../pem.ts'
import type { Crl, IssuingDistributionPoint } from './crl.ts'
import { CrlEntries } from './entries.ts'
import { entryTable } from './entry-table.ts'
import type { CrlEntry } from './entry.ts'
import { encodeCrlExtensions, readCrlExtensionFacts } from './extensions.ts'
import { requireCrlSign } from './verify.ts'

/** What {@link createCrl} needs. Clock and number are the caller's. */
export interface CrlOptions {
  readonly issuer: Issuer
  /** Larger than that of every list of this issuer and scope before; a delta shares the sequence (section 5.2.3). */
  readonly number: bigint
  readonly thisUpdate: Date
  /** When the next list is there at the latest: relying parties use this one until then. */
  readonly nextUpdate: Date
  /** In any order; keep a {@link CrlEntries} where lists are long or frequent. */
  readonly entries: CrlEntries | Iterable<CrlEntry>
  /** Makes a delta CRL: the number of the complete list that the entries change. */
  readonly baseNumber?: bigint | undefined
  /** The same in a complete list and its deltas. */
  readonly issuingDistributionPoint?: IssuingDistributionPoint | undefined
  /** Where deltas to this list are published. */
  readonly freshestCrlUrl?: string | undefined
}

const version2 = 1

/** Signers that have made a signature which their public key verifies. */
const proven = new WeakSet<Signer>()

/**
 * Makes and signs a CRL, version 2 (RFC 5280 section 5.1):
 *
 *     CertificateList ::= SEQUENCE {
 *         tbsCertList SEQUENCE {
 *             version             Version,
 *             signature           AlgorithmIdentifier,
 *             issuer              Name,
 *             thisUpdate          Time,
 *             nextUpdate          Time,
 *             revokedCertificates SEQUENCE OF … OPTIONAL,       -- left out when there is none
 *             crlExtensions   [0] EXPLICIT Extensions },
 *         signatureAlgorithm AlgorithmIdentifier,
 *         signatureValue     BIT STRING }
 *
 * What `entries` holds at the call is what is signed, whatever is set on it while the signature is made. With
 * 100,000 entries in a {@link CrlEntries} it costs the hash of 5 MB, and no copy.
 *
 * @throws PkiError `crl-refused` for an issuer without cRLSign, times or numbers out of order, `removeFromCRL`
 * outside a delta, and bad URLs; `key-mismatch` for a signer of another key; `time-invalid`; `der-too-large`
 * beyond 16 MiB, about 330,000 entries
 */
export async function createCrl(options: CrlOptions): Promise<Crl> {
  const { issuer, thisUpdate, nextUpdate, baseNumber } = options
  const { certificate, signer } = issuer
  const authorityKeyId = checkIssuer(issuer)
  const entries = options.entries instanceof CrlEntries ? options.entries : new CrlEntries(options.entries)
  if (baseNumber === undefined && entries.removals > 0) {
    throw refuse('entries: removeFromCRL is for delta CRLs only (section 5.3.1)')
  }
  if (seconds(nextUpdate) <= seconds(thisUpdate)) throw refuse('nextUpdate: must be later than thisUpdate')

  const { size, byteLength } = entries
  const algorithm = encodeSignatureAlgorithm(signer.algorithm)
  const extensions = encodeCrlExtensions({ ...options, authorityKeyId })
  const before = [integer(version2), algorithm, certificate.subjectDer, time(thisUpdate), time(nextUpdate)]
  const list = size === 0 ? [] : [header(Tag.sequence, byteLength), ...entries.pieces()]
  const wrapped = [header(0xa0, extensions.length), extensions]
  const content = [...before, ...list, ...wrapped]
  const signed = [header(Tag.sequence, lengthOf(content)), ...content]

  const signature = await signer.sign(signed)
  // Once per signer: a token that signs with another key is found out here, before a list is published.
  if (!proven.has(signer)) {
    if (!(await verifySignature(signer.algorithm, signer.publicKey, Buffer.concat(signed), signature))) {
      throw new PkiError('key-mismatch', 'issuer: signer made a signature that its own key does not verify')
    }
    proven.add(signer)
  }
  const body = [...signed, algorithm, bitString(signature)]
  const start = header(Tag.sequence, lengthOf(body))
  const tbsEnd = start.length + lengthOf(signed)
  const listEnd = tbsEnd - lengthOf(wrapped)
  return crlOfPieces([start, ...body], {
    tbs: [start.length, tbsEnd],
    list: [listEnd - byteLength, listEnd],
    size,
    facts: {
      issuer: certificate.subject,
      issuerDer: certificate.subjectDer,
      thisUpdate: new Date(seconds(thisUpdate) * 1000),
      nextUpdate: new Date(seconds(nextUpdate) * 1000),
      signatureAlgorithm: signer.algorithm,
      signature,
      ...readCrlExtensionFacts(
        readDer(extensions, 'crlExtensions', (reader) => readExtensions(reader, 'crlExtensions')),
      ),
    },
  })
}

/**
 * A list that stays in pieces until somebody asks for it whole. The pieces with the entries are those of the list before and of
 * the next one: 5 MB of new memory for each list would cost more, in garbage collection, than to sign it.
 */
function crlOfPieces(
  pieces: readonly Uint8Array[],
  about: {
    readonly tbs: readonly [number, number]
    readonly list: readonly [number, number]
    readonly size: number
    readonly facts: Omit<Crl, 'der' | 'pieces' | 'pem' | 'tbs' | 'revoked'>
  },
): Crl {
  let whole: Buffer | undefined
  let revoked: Crl['revoked'] | undefined
  let pem: string | undefined
  const der = (): Buffer => (whole ??= Buffer.concat(pieces))
  return {
    ...about.facts,
    pieces,
    get der() {
      return der()
    },
    get tbs() {
      return der().subarray(...about.tbs)
    },
    get revoked() {
      return (revoked ??= entryTable(der().subarray(...about.list), about.size))
    },
    get pem() {
      return (pem ??= toPem('X509 CRL', der()))
    },
  }
}

function lengthOf(parts: readonly Uint8Array[]): number {
  return parts.reduce((sum, { byteLength }) => sum + byteLength, 0)
}

function checkIssuer({ certificate, signer }: Issuer): string {
  const keyId = requireCrlSign(certificate, 'crl-refused')
  if (!exportPublicKey(signer.publicKey).equals(certificate.publicKeyInfo)) {
    throw new PkiError('key-mismatch', 'issuer: signer holds another key than that of certificate')
  }
  return keyId
}

/** NaN, which no comparison holds for, is found by the encoding of the time. */
function seconds(time: Date): number {
  return Math.floor(time.getTime() / 1000)
}

function refuse(problem: string): PkiError {
  return new PkiError('crl-refused', `CRL was not made: ${problem}`)
}
