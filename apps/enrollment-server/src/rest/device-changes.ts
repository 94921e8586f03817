import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { isManagedId } from '../admission/inventory.ts'
import { resource } from '../http/resource.ts'
import type { DeviceChange } from '../lifecycle/transition.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from './actor.ts'
import { revocationReason } from './certificate.ts'
import { device, deviceId, showDevice } from './device.ts'
import { changedMeanwhile, expectationOf } from './entity-tag.ts'
import { endpoint } from './endpoint.ts'

const noBody = z.strictObject({}).default({})
const reasonBody = z.strictObject({ reason: revocationReason }).default({ reason: 'unspecified' })

const changes = {
  revoke: { summary: 'Revoke all certificates of a device, which may enroll again', body: reasonBody },
  suspend: { summary: 'Suspend a device: its certificates are on hold, it gets none', body: noBody },
  resume: { summary: 'Resume a suspended device: its certificates are good again', body: noBody },
  retire: {
    summary: 'Retire a device for ever: its certificates are revoked, its id is used up',
    body: noBody,
  },
} as const satisfies Record<DeviceChange, object>

/** Serves what an operator can do to a device. Each may be repeated: what has happened is not done again. */
export function deviceChangeRoutes(
  app: FastifyInstance,
  { registry, now }: { registry: Registry; now: () => Date },
): void {
  for (const [change, { summary, body }] of Object.entries(changes) as [
    DeviceChange,
    { summary: string; body: typeof reasonBody | typeof noBody },
  ][]) {
    resource(app, `/v1/devices/:id/${change}`, {
      POST: endpoint({
        access: 'operator',
        summary,
        params: z.object({ id: deviceId }),
        body: body as z.ZodType<{ reason?: z.output<typeof revocationReason> }>,
        answer: { status: 200, schema: device },
        isConditional: true,
        refusals: ['field-invalid', 'role-not-allowed', 'device-unknown', 'device-managed', 'device-retired'],
        handle: async ({ params: { id }, body: { reason }, request }) => {
          // The server and its operator must not lock each other out; certificates of theirs can be revoked.
          if (isManagedId(id) && change !== 'revoke') {
            throw new RequestRefused({ code: 'device-managed', detail: `id: ${id} is the server's own` })
          }
          const expectation = await expectationOf(request, 'device', id, async () => {
            const record = await registry.findDevice(id)
            return record && { record, shown: showDevice(record) }
          })
          const outcome = await registry.changeDevice({
            id,
            change,
            reason: reason ?? (change === 'retire' ? 'cessationOfOperation' : 'unspecified'),
            atMs: now().getTime(),
            by: actorOf(request),
            ...expectation,
          })
          if (outcome.ok) return showDevice(outcome.device)
          if (outcome.code === 'precondition-failed') throw changedMeanwhile()
          const detail =
            outcome.code === 'device-unknown' ? `id: ${id} is not registered` : `id: ${id} is retired`
          throw new RequestRefused({ code: outcome.code, detail })
        },
      }),
    })
  }
}
