import { toPem } from '@fleetroot/pki'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Authorities } from '../authority/authorities.ts'
import { chainOf } from '../authority/authority.ts'
import type { Enroll } from '../enrollment/decisions.ts'
import { decodeCsrBody } from '../est/body.ts'
import { bindingOf } from '../http/binding.ts'
import { resource } from '../http/resource.ts'
import { enrollmentCodes } from '../problem/enrollment-codes.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { csrReport } from './csr-report.ts'
import { isoTime } from './device.ts'
import { endpoint } from './endpoint.ts'

/** Serves enrollment in JSON, for firmware that has no use for PKCS#7. */
export function enrollmentRoutes(
  app: FastifyInstance,
  { enroll, authorities }: { enroll: Enroll; authorities: Pick<Authorities, 'current'> },
): void {
  resource(app, '/v1/enrollments', {
    POST: endpoint({
      access: 'bearer-token',
      summary: 'Exchange a one-time token, or one of a claim, and a CSR for a certificate',
      body: z.strictObject({
        csr: z
          .string({ error: 'must be a PKCS#10 request as text: PEM, or DER in base64' })
          .meta({ description: 'PKCS#10: PEM, or DER in base64' }),
      }),
      answer: {
        status: 201,
        schema: z
          .object({
            deviceId: z.string(),
            serial: z.string(),
            certificate: z.string().meta({ description: 'PEM' }),
            chain: z
              .array(z.string())
              .meta({ description: 'The CA certificates above it, without the root; PEM' }),
            notBefore: z.iso.datetime(),
            notAfter: z.iso.datetime(),
            csr: csrReport,
          })
          .meta({
            description: 'The certificate; the same one again when the same key retries within 10 minutes',
          }),
      },
      refusals: enrollmentCodes,
      handle: async ({ body: { csr }, request, reply }) => {
        const { credential } = request
        if (!credential)
          throw new RequestRefused({ code: 'credential-missing', detail: 'Authorization: is missing' })
        const decoded = decodeCsrBody(Buffer.from(csr, 'latin1'))
        if (!decoded.ok) throw new RequestRefused(decoded)
        const outcome = await enroll(
          { credential, csr: decoded.der, binding: bindingOf(request) },
          { protocol: 'rest', address: request.ip },
        )
        if (!outcome.ok) throw new RequestRefused(outcome)
        const { der, serial, deviceId, issuer, notBeforeMs, notAfterMs } = outcome.certificate
        reply.header('cache-control', 'no-store')
        return {
          deviceId,
          serial,
          certificate: toPem('CERTIFICATE', der),
          chain: chainOf(authorities.current(), issuer).map(({ pem }) => pem),
          notBefore: isoTime(notBeforeMs),
          notAfter: isoTime(notAfterMs),
          csr: { fields: outcome.csr.fields.map((field) => ({ ...field })) },
        }
      },
    }),
  })
}
