import { defaultProfiles, type Profile, type Role, roles } from '@fleetroot/pki'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { isManagedId } from '../admission/inventory.ts'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { deviceStates } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from './actor.ts'
import { cursor, decodeCursor, encodeCursor, pageLimit } from './cursor.ts'
import { nameComplaints } from './device-names.ts'
import { device, deviceId, newDevice, showDevice } from './device.ts'
import { endpoint } from './endpoint.ts'
import { answeredBefore, requestName } from './idempotency.ts'

const profileName = z
  .string()
  .regex(/^[a-z0-9-]{1,32}$/, { error: 'must be the name of a profile, such as device' })

/** The filter for a role, which the profile gives. Whose profile is not configured any more counts as a device. */
function ofRole(
  role: Role,
  profiles: ReadonlyMap<string, Profile>,
): { among: readonly string[] } | { without: readonly string[] } {
  const named = (isWanted: boolean): string[] =>
    [...profiles.values()].filter((one) => (one.role === role) === isWanted).map(({ name }) => name)
  // Responders of OCSP have no role, and a profile that nobody can be registered for.
  return role === 'device'
    ? { without: [...named(false), defaultProfiles.ocsp.name] }
    : { among: named(true) }
}

/** Serves the inventory: register, list, read. */
export function deviceRoutes(
  app: FastifyInstance,
  {
    registry,
    profiles,
    now,
  }: { registry: Registry; profiles: ReadonlyMap<string, Profile>; now: () => Date },
): void {
  resource(app, '/v1/devices', {
    POST: endpoint({
      access: 'operator',
      summary: 'Register a device',
      body: newDevice(profiles),
      answer: { status: 201, schema: device },
      refusals: [
        'field-invalid',
        'role-not-allowed',
        'device-exists',
        'device-managed',
        'idempotency-key-reused',
      ],
      handle: async ({ body, request, reply }) => {
        const [complaint] = nameComplaints(body, profiles)
        if (complaint) {
          const detail = `body.${complaint.field}: ${complaint.message}`
          throw new RequestRefused({ code: 'field-invalid', detail })
        }
        if (isManagedId(body.id)) {
          throw new RequestRefused({ code: 'device-managed', detail: `id: ${body.id} is the server's own` })
        }
        const atMs = now().getTime()
        const added = { ...body, createdAtMs: atMs, by: actorOf(request) }
        const shown = showDevice({ ...added, state: 'registered' })
        const name = requestName(request, body)
        const once = { atMs, device: added, answer: JSON.stringify(shown) }
        const outcome = name && (await registry.makeOnce({ ...name, ...once }))
        const before = outcome && answeredBefore(outcome)
        if (before === undefined && !(outcome ? outcome === 'made' : await registry.addDevice(added))) {
          const detail = `id: ${body.id} is in the inventory${body.idevid ? ', or its idevid is that of another device' : ''}`
          throw new RequestRefused({ code: 'device-exists', detail })
        }
        reply.header('location', `/v1/devices/${body.id}`)
        return before === undefined ? shown : (JSON.parse(before) as typeof shown)
      },
    }),
    GET: endpoint({
      access: 'operator',
      summary: 'List devices in the order of their ids',
      query: z.strictObject({
        limit: pageLimit,
        cursor: cursor.optional(),
        state: z.enum(deviceStates, { error: `must be one of ${deviceStates.join(', ')}` }).optional(),
        role: z.enum(roles, { error: `must be one of ${roles.join(', ')}` }).optional(),
        profile: profileName.optional(),
      }),
      answer: {
        status: 200,
        schema: z.object({ items: z.array(device), nextCursor: z.string().optional() }).meta({
          description: 'One page; `nextCursor` is there when more follow',
        }),
      },
      refusals: ['field-invalid', 'role-not-allowed'],
      handle: async ({ query: { limit, cursor, state, role, profile } }) => {
        // One more than asked for tells whether there is a next page.
        const records = await registry.listDevices({
          limit: limit + 1,
          ...(cursor !== undefined && { after: decodeCursor(cursor) }),
          ...(state && { state }),
          ...(profile !== undefined && { profile }),
          ...(role && ofRole(role, profiles)),
        })
        const items = records.slice(0, limit).map(showDevice)
        const last = items.at(-1)
        return { items, ...(records.length > limit && last && { nextCursor: encodeCursor(last.id) }) }
      },
    }),
  })

  resource(app, '/v1/devices/:id', {
    GET: endpoint({
      access: 'operator',
      summary: 'Read a device',
      params: z.object({ id: deviceId }),
      answer: { status: 200, schema: device },
      refusals: ['field-invalid', 'role-not-allowed', 'device-unknown'],
      handle: async ({ params: { id } }) => {
        const record = await registry.findDevice(id)
        if (!record)
          throw new RequestRefused({ code: 'device-unknown', detail: `id: ${id} is not registered` })
        return showDevice(record)
      },
    }),
  })
}
