import { parseCertificate, PkiError } from '@fleetroot/pki'
import { z } from 'zod'
import { caKinds, isCaId, kindOf } from '../authority/ca-id.ts'
import type { Member } from '../authority/hierarchy-record.ts'
import { isoTime } from './device.ts'

/** The id of a CA in a path. */
export const authorityId = z.string().refine(isCaId, {
  error: 'must be root, devices or services, with -2, -3 and so on for those that followed',
})

/** Certificates in a request. */
export const certificates = z
  .array(
    z.string({ error: 'must be a certificate in PEM' }).transform((pem, context) => {
      try {
        return parseCertificate(pem)
      } catch (error) {
        if (!(error instanceof PkiError)) throw error
        context.addIssue({ code: 'custom', message: `must be one certificate in PEM (${error.message})` })
        return z.NEVER
      }
    }),
  )
  .min(1, { error: 'must be at least one' })
  .max(32, { error: 'must be at most 32' })
  .meta({ description: 'PEM, one certificate each' })

const longestIntroduction = 365 * 24 * 60 * 60

/** How long a new CA is trusted before it issues. */
export const introduceForSeconds = z
  .int({ error: 'must be a whole number of seconds' })
  .min(0, { error: 'must be 0 or more' })
  .max(longestIntroduction, { error: 'must be at most a year' })
  .optional()
  .meta({ description: 'left out: as the server is configured; 0: it issues at once' })

/** What a CA is, without its certificates. */
const kind = z.enum(caKinds)
const pem = z.string().meta({ description: 'PEM' })

/** A CA that is trusted, as the API shows it. */
export const trustedAuthority = z.object({
  id: z.string(),
  kind,
  state: z.enum(['introduced', 'issuing', 'retiring']),
  subjectKeyId: z.string().meta({ description: 'hexadecimal' }),
  notBefore: z.iso.datetime(),
  notAfter: z.iso.datetime(),
  certificate: pem,
})

/** A CA after a change. */
export const changedAuthority = z
  .object({
    id: z.string(),
    kind,
    state: z.enum(['requested', 'introduced', 'issuing', 'retiring', 'retired']),
    activatesAt: z.iso.datetime().optional().meta({ description: 'when an introduced CA issues' }),
    subjectKeyId: z.string().optional(),
    notBefore: z.iso.datetime().optional(),
    notAfter: z.iso.datetime().optional(),
    certificate: pem.optional(),
  })
  .meta({ description: 'The CA as it is now' })

/** The dates, the key and the certificate of a CA as the API shows them. */
export function showCertified({ certificate }: { readonly certificate: NonNullable<Member['certificate']> }) {
  return {
    subjectKeyId: certificate.subjectKeyId ?? '',
    notBefore: isoTime(certificate.notBefore.getTime()),
    notAfter: isoTime(certificate.notAfter.getTime()),
    certificate: certificate.pem,
  }
}

/** A CA as the API shows it after a change. */
export function showChanged({
  id,
  state,
  certificate,
  activatesAtMs,
}: Member): z.input<typeof changedAuthority> {
  return {
    id,
    kind: kindOf(id),
    state,
    ...(activatesAtMs !== undefined && { activatesAt: isoTime(activatesAtMs) }),
    ...(certificate && showCertified({ certificate })),
  }
}
