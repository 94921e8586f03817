import { parseSerial, type SerialNumber, toPem } from '@fleetroot/pki'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { Registry } from '../registry/registry.ts'
import { isoTime } from './device.ts'
import { endpoint } from './endpoint.ts'

const serial = z.string().transform((text, context): SerialNumber => {
  try {
    return parseSerial(text)
  } catch {
    context.addIssue({ code: 'custom', message: 'must be a serial number in hexadecimal' })
    return z.NEVER
  }
})

/** Serves what the registry knows of a certificate. */
export function certificateRoutes(
  app: FastifyInstance,
  { registry, now }: { registry: Registry; now: () => Date },
): void {
  resource(app, '/v1/certificates/:serial', {
    GET: endpoint({
      access: 'operator',
      summary: 'Read a certificate by its serial number',
      params: z.object({ serial }),
      answer: {
        status: 200,
        schema: z
          .object({
            serial: z.string(),
            deviceId: z.string(),
            profile: z.string(),
            notBefore: z.iso.datetime(),
            notAfter: z.iso.datetime(),
            status: z.enum(['issued', 'active', 'superseded', 'revoked', 'expired']),
            certificate: z.string().meta({ description: 'PEM' }),
          })
          .meta({ description: 'A certificate that this server issued' }),
      },
      refusals: ['field-invalid', 'role-not-allowed', 'serial-unknown'],
      handle: async ({ params: { serial } }) => {
        const record = await registry.findCertificate(serial)
        if (!record) {
          throw new RequestRefused({
            code: 'serial-unknown',
            detail: `serial: ${serial} was not issued here`,
          })
        }
        const { deviceId, profile, notBeforeMs, notAfterMs, status, der } = record
        const isExpired = status !== 'revoked' && notAfterMs <= now().getTime()
        return {
          serial: record.serial,
          deviceId,
          profile,
          notBefore: isoTime(notBeforeMs),
          notAfter: isoTime(notAfterMs),
          status: isExpired ? ('expired' as const) : status,
          certificate: toPem('CERTIFICATE', der),
        }
      },
    }),
  })
}
