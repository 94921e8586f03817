import {
  type DerReader,
  enumerated,
  generalizedTime,
  readDer,
  rememberOids,
  sequence,
  time,
  unsignedInteger,
} from '../der/index.ts'
import { PkiError } from '../error.ts'
import { encodeExtension, readExtensions } from '../extension/index.ts'
import { serialFromBytes, type SerialNumber } from '../serial.ts'
import { reasonCode, reasonName, type RevocationReason, revocationReasons } from './reason.ts'

/** Extensions of a CRL entry (RFC 5280 section 5.3). */
export const entryExtensionOids = { reasonCode: '2.5.29.21', invalidityDate: '2.5.29.24' } as const
rememberOids(Object.values(entryExtensionOids))

/** One revoked certificate. Times are whole seconds in the list: fractions are cut off. */
export interface CrlEntry {
  readonly serial: SerialNumber
  readonly revokedAt: Date
  /** Absent means the same as `unspecified`, which is left out of the list. */
  readonly reason?: RevocationReason | undefined
  /** Since when the key is suspected (section 5.3.2), which may lie before `revokedAt`. */
  readonly invalidityDate?: Date | undefined
}

/** The extension of each reason, encoded once. `unspecified` has none: section 5.3.1 wants it left out. */
const reasonExtensions = new Map<string, Buffer>(
  revocationReasons
    .filter(({ name }) => name !== 'unspecified')
    .map(({ name, code }) => [
      name,
      encodeExtension({ oid: entryExtensionOids.reasonCode, critical: false, value: enumerated(code) }),
    ]),
)
const reasonAlone = new Map([...reasonExtensions].map(([name, extension]) => [name, sequence(extension)]))

/**
 * Encodes one entry, at most 127 octets:
 *
 *     SEQUENCE {                                                     -- RFC 5280, 5.1
 *         userCertificate    CertificateSerialNumber,
 *         revocationDate     Time,
 *         crlEntryExtensions Extensions OPTIONAL }
 *
 * @throws PkiError `crl-refused` for a reason that is none, `time-invalid`
 */
export function encodeEntry(entry: CrlEntry): Buffer {
  const { serial, revokedAt, reason = 'unspecified', invalidityDate } = entry
  if (reasonCode(reason) === undefined) {
    throw new PkiError('crl-refused', `CRL entry ${serial}: ${JSON.stringify(reason)} is not a reason`)
  }
  const number = unsignedInteger(Buffer.from(serial, 'hex'))
  if (invalidityDate !== undefined) {
    const suspected = encodeExtension({
      oid: entryExtensionOids.invalidityDate,
      critical: false,
      value: generalizedTime(invalidityDate),
    })
    const extension = reasonExtensions.get(reason)
    const extensions = extension === undefined ? [suspected] : [extension, suspected]
    return sequence(number, time(revokedAt), sequence(...extensions))
  }
  const extensions = reasonAlone.get(reason)
  return extensions === undefined
    ? sequence(number, time(revokedAt))
    : sequence(number, time(revokedAt), extensions)
}

/** Decodes the encoding of one entry and nothing else. Throws as {@link readEntry} does. */
export function decodeEntry(der: Uint8Array): CrlEntry {
  return readDer(der, 'CRL entry', readEntry)
}

/**
 * Reads one entry. Extensions that are unknown are passed over unless they are critical: then what they say
 * changes what the entry means (certificateIssuer: another CA's certificate), and the list cannot be used.
 *
 * @throws PkiError `crl-unsupported` for a critical extension or a reason that is unknown; `serial-invalid`,
 * `der-invalid` or `extension-invalid`
 */
export function readEntry(reader: DerReader): CrlEntry {
  const what = 'CRL entry'
  const entry = reader.sequence(what)
  const serial = serialFromBytes(entry.positiveInteger('userCertificate'))
  const revokedAt = entry.time('revocationDate')
  let reason: RevocationReason | undefined
  let invalidityDate: Date | undefined
  for (const { oid, critical, value } of entry.done ? [] : readExtensions(entry, 'crlEntryExtensions')) {
    if (oid === entryExtensionOids.reasonCode) reason = readReason(value)
    else if (oid === entryExtensionOids.invalidityDate) {
      invalidityDate = readDer(value, 'invalidityDate', (inner) => inner.generalizedTime('invalidityDate'))
    } else if (critical) {
      throw new PkiError('crl-unsupported', `${what} ${serial}: critical extension ${oid} is unknown`)
    }
  }
  entry.end(what)
  return { serial, revokedAt, reason, invalidityDate }
}

/** CRLReason ::= ENUMERATED, numbers 0 to 6 and 8 to 10. */
function readReason(value: Buffer): RevocationReason {
  const code = readDer(value, 'reasonCode', (reader) => reader.enumerated('reasonCode'))
  const reason = reasonName(code)
  if (reason === undefined) throw new PkiError('crl-unsupported', `reasonCode: ${code} is not a reason`)
  return reason
}
