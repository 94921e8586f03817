import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { isManagedId } from '../admission/inventory.ts'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { Registry } from '../registry/registry.ts'
import { newToken, tokenHash } from '../token/token.ts'
import { actorOf } from './actor.ts'
import { deviceId, isoTime } from './device.ts'
import { endpoint } from './endpoint.ts'
import { answeredBefore, requestName } from './idempotency.ts'

const day = 24 * 60 * 60

/** Serves the making of one-time tokens. A device may have several; each works once. */
export function tokenRoutes(
  app: FastifyInstance,
  { registry, now, lifetimeMs }: { registry: Registry; now: () => Date; lifetimeMs: number },
): void {
  resource(app, '/v1/devices/:id/tokens', {
    POST: endpoint({
      access: 'operator',
      summary: 'Make a one-time token for a device; it is shown this once',
      params: z.object({ id: deviceId }),
      body: z.strictObject({
        expiresInSeconds: z
          .int({ error: 'must be a whole number of seconds' })
          .min(1, { error: 'must be at least 1' })
          .max(365 * day, { error: 'must be at most 365 days' })
          .optional(),
      }),
      answer: {
        status: 201,
        schema: z
          .object({ token: z.string(), deviceId: z.string(), expiresAt: z.iso.datetime() })
          .meta({ description: 'The token: 256 bits in base64url' }),
      },
      refusals: [
        'field-invalid',
        'role-not-allowed',
        'device-unknown',
        'device-inactive',
        'device-managed',
        'idempotency-key-reused',
        'idempotent-answer-secret',
      ],
      handle: async ({ params: { id }, body: { expiresInSeconds }, request, reply }) => {
        if (isManagedId(id)) {
          throw new RequestRefused({ code: 'device-managed', detail: `id: ${id} is the server's own` })
        }
        const device = await registry.findDevice(id)
        if (!device)
          throw new RequestRefused({ code: 'device-unknown', detail: `id: ${id} is not registered` })
        if (device.profile === 'claim') {
          throw new RequestRefused({ code: 'role-not-allowed', detail: `id: ${id} is a claim, not a device` })
        }
        if (device.state === 'suspended' || device.state === 'retired') {
          throw new RequestRefused({ code: 'device-inactive', detail: `id: ${id} is ${device.state}` })
        }
        const token = newToken()
        const createdAtMs = now().getTime()
        const expiresAtMs =
          createdAtMs + (expiresInSeconds === undefined ? lifetimeMs : expiresInSeconds * 1000)
        const by = actorOf(request)
        const made = { hash: tokenHash(token), deviceId: id, createdAtMs, expiresAtMs, by }
        const name = requestName(request, { expiresInSeconds })
        if (name) answeredBefore(await registry.makeOnce({ ...name, atMs: createdAtMs, token: made }))
        else await registry.addToken(made)
        reply.header('cache-control', 'no-store')
        return { token, deviceId: id, expiresAt: isoTime(expiresAtMs) }
      },
    }),
  })
}
