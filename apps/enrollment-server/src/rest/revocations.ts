import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { resource } from '../http/resource.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from './actor.ts'
import { revocationReason, serialNumber } from './certificate.ts'
import { deviceId } from './device.ts'
import { endpoint } from './endpoint.ts'

const mostAtOnce = 1000

const body = z
  .strictObject({
    serials: z.array(serialNumber, { error: 'must be a list of serial numbers' }).default([]),
    deviceIds: z.array(deviceId, { error: 'must be a list of device ids' }).default([]),
    reason: revocationReason,
  })
  .refine(({ serials, deviceIds }) => serials.length + deviceIds.length > 0, {
    error: 'name at least one certificate in serials, or one device in deviceIds',
  })
  .refine(({ serials, deviceIds }) => serials.length + deviceIds.length <= mostAtOnce, {
    error: `serials and deviceIds must be at most ${mostAtOnce} together; send the rest in another request`,
  })

const status = z
  .enum(['revoked', 'unchanged', 'refused'])
  .meta({ description: '`unchanged`: nothing of it was good before' })

const code = z.enum(['serial-unknown', 'device-unknown'])

/** Serves the revocation of many certificates at once. */
export function revocationRoutes(
  app: FastifyInstance,
  { registry, now }: { registry: Registry; now: () => Date },
): void {
  resource(app, '/v1/certificates/revocations', {
    POST: endpoint({
      access: 'operator',
      summary: 'Revoke certificates, and all those of devices, in one transaction; once is as good as twice',
      body,
      // A thousand ids of the greatest length.
      bodyLimitBytes: 128 * 1024,
      answer: {
        status: 200,
        schema: z
          .object({
            revoked: z.int().meta({ description: 'How many certificates this request has revoked' }),
            results: z.array(
              z.union([
                z.object({ serial: z.string(), status, code: code.optional() }),
                z.object({ deviceId: z.string(), status, code: code.optional() }),
              ]),
            ),
          })
          .meta({ description: 'What became of each, in the order of the request, serial numbers first' }),
      },
      refusals: ['field-invalid', 'role-not-allowed', 'body-too-large'],
      handle: async ({ body: { serials, deviceIds, reason }, request }) => {
        const done = await registry.revokeAll({
          serials,
          deviceIds,
          reason,
          atMs: now().getTime(),
          by: actorOf(request),
        })
        const results = [
          ...[...done.serials].map(([serial, what]) => ({ serial, ...shown(what) })),
          ...[...done.devices].map(([deviceId, what]) => ({ deviceId, ...shown(what) })),
        ]
        return { revoked: done.certificates, results }
      },
    }),
  })
}

function shown(what: 'revoked' | 'unchanged' | z.output<typeof code>) {
  return what === 'revoked' || what === 'unchanged'
    ? { status: what }
    : { status: 'refused' as const, code: what }
}
