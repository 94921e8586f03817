import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { resource } from '../http/resource.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from './actor.ts'
import { serialNumber } from './certificate.ts'
import { endpoint } from './endpoint.ts'

const mostAtOnce = 1000

/** Serves the report of a broker that certificates have connected to it. */
export function activationRoutes(
  app: FastifyInstance,
  { registry, now }: { registry: Pick<Registry, 'activateCertificates'>; now: () => Date },
): void {
  resource(app, '/v1/certificates/activations', {
    POST: endpoint({
      access: 'broker',
      summary: 'Report that certificates have connected; once is as good as twice',
      body: z.strictObject({
        serials: z
          .array(serialNumber, { error: 'must be a list of serial numbers' })
          .min(1, { error: 'must be at least one serial number' })
          .max(mostAtOnce, { error: `must be at most ${mostAtOnce}; send the rest in another request` }),
      }),
      answer: {
        status: 200,
        schema: z
          .object({
            activated: z.int().meta({ description: 'Certificates that had not connected before' }),
            unchanged: z.int().meta({ description: 'Certificates that had, or that are revoked' }),
            unknown: z.int().meta({ description: 'Serial numbers of no certificate' }),
          })
          .meta({ description: 'How many of them changed something' }),
      },
      refusals: ['field-invalid', 'role-not-allowed'],
      handle: async ({ body: { serials }, request }) =>
        registry.activateCertificates({ serials, atMs: now().getTime(), by: actorOf(request) }),
    }),
  })
}
