import { parseSerial, revocationReasons, type SerialNumber, toPem } from '@fleetroot/pki'
import { z } from 'zod'
import { type CertificateRecord, certificateStatuses } from '../registry/records.ts'
import { isoTime } from './device.ts'

/** A serial number in a request, in hexadecimal. */
export const serialNumber = z.string().transform((text, context): SerialNumber => {
  try {
    return parseSerial(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a serial number in hexadecimal' })
    return z.NEVER
  }
})

/** Reasons that an operator may give. A hold is the suspension of a device; removeFromCRL is no reason. */
const givenReasons = revocationReasons
  .map(({ name }) => name)
  .filter((name) => name !== 'certificateHold' && name !== 'removeFromCRL')

/** Why something is revoked, as RFC 5280 names it (section 5.3.1). */
export const revocationReason = z
  .enum(givenReasons, {
    error: `must be one of ${givenReasons.join(', ')}; to put certificates on hold, suspend the device`,
  })
  .default('unspecified')

/** A certificate as the API shows it. */
export const certificate = z
  .object({
    serial: z.string(),
    deviceId: z.string(),
    profile: z.string(),
    issuer: z.string().meta({ description: 'the issuing CA: devices or services' }),
    notBefore: z.iso.datetime(),
    notAfter: z.iso.datetime(),
    status: z.enum([...certificateStatuses, 'expired']),
    revocation: z.object({ at: z.iso.datetime(), reason: z.string() }).optional(),
    certificate: z.string().meta({ description: 'PEM' }),
  })
  .meta({ description: 'A certificate that this server issued' })

/** The record of a certificate as the API shows it. One that is revoked stays so when it expires. */
export function showCertificate(record: CertificateRecord, now: Date): z.input<typeof certificate> {
  const { serial, deviceId, profile, issuer, notBeforeMs, notAfterMs, status, revocation, der } = record
  const isExpired = status !== 'revoked' && notAfterMs <= now.getTime()
  return {
    serial,
    deviceId,
    profile,
    issuer,
    notBefore: isoTime(notBeforeMs),
    notAfter: isoTime(notAfterMs),
    status: isExpired ? 'expired' : status,
    ...(revocation && { revocation: { at: isoTime(revocation.atMs), reason: revocation.reason } }),
    certificate: toPem('CERTIFICATE', der),
  }
}
