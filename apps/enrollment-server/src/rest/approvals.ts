import type { FastifyInstance, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { ApprovalRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from './actor.ts'
import { cursor, decodeCursor, encodeCursor, pageLimit } from './cursor.ts'
import { isoTime, labels } from './device.ts'
import { changedMeanwhile, expectationOf } from './entity-tag.ts'
import { endpoint } from './endpoint.ts'

const approvalStates = ['pending', 'approved', 'denied'] as const

const params = z.object({
  id: z.string().regex(/^[0-9a-f]{64}$/, {
    error: 'must be the SHA-256 of the public key: 64 hexadecimal digits in lower case',
  }),
})

const approval = z
  .object({
    id: z.string().meta({ description: 'SHA-256 of the public key (SubjectPublicKeyInfo), in hexadecimal' }),
    deviceId: z.string().meta({ description: 'The id that it asks for' }),
    profile: z.string(),
    state: z.enum(approvalStates),
    address: z.string().meta({ description: 'Where it asked from first' }),
    askedAt: z.iso.datetime(),
    decidedAt: z.iso.datetime().optional(),
    expiresAt: z.iso.datetime().meta({ description: 'When it is forgotten, whatever its state' }),
    serial: z.string().optional().meta({ description: 'Of the certificate that was issued by it' }),
  })
  .meta({ description: 'A device without a credential that asks for a certificate for its key' })

/** Serves the queue of devices that wait for an operator. */
export function approvalRoutes(
  app: FastifyInstance,
  { registry, now, lifetimeMs }: { registry: Registry; now: () => Date; lifetimeMs: number },
): void {
  async function find(id: string): Promise<ApprovalRecord> {
    const record = await registry.findApproval({ publicKey: id, nowMs: now().getTime() })
    if (record) return record
    throw unknownApproval()
  }

  resource(app, '/v1/approvals', {
    GET: endpoint({
      access: 'operator',
      summary: 'List the devices that ask without a credential, in the order of their ids',
      query: z.strictObject({
        limit: pageLimit,
        cursor: cursor.optional(),
        state: z.enum(approvalStates, { error: `must be one of ${approvalStates.join(', ')}` }).optional(),
      }),
      answer: {
        status: 200,
        schema: z.object({ items: z.array(approval), nextCursor: z.string().optional() }).meta({
          description: 'One page; `nextCursor` is there when more follow',
        }),
      },
      refusals: ['field-invalid', 'role-not-allowed'],
      handle: async ({ query: { limit, cursor, state } }) => {
        const records = await registry.listApprovals({
          limit: limit + 1,
          nowMs: now().getTime(),
          ...(cursor !== undefined && { after: decodeCursor(cursor) }),
          ...(state && { state }),
        })
        const items = records.slice(0, limit).map(showApproval)
        const last = items.at(-1)
        return { items, ...(records.length > limit && last && { nextCursor: encodeCursor(last.id) }) }
      },
    }),
  })

  resource(app, '/v1/approvals/:id', {
    GET: endpoint({
      access: 'operator',
      summary: 'Read a request for approval',
      params,
      answer: { status: 200, schema: approval },
      refusals: ['field-invalid', 'role-not-allowed', 'approval-unknown'],
      handle: async ({ params: { id } }) => showApproval(await find(id)),
    }),
  })

  async function decide(
    request: FastifyRequest,
    id: string,
    decision: { state: 'approved'; labels: Record<string, string> } | { state: 'denied' },
  ): Promise<z.input<typeof approval>> {
    const nowMs = now().getTime()
    const by = actorOf(request)
    const expiresAtMs = nowMs + lifetimeMs
    const expectation = await expectationOf(request, 'approval', id, async () => {
      const before = await registry.findApproval({ publicKey: id, nowMs })
      return before && { record: before, shown: showApproval(before) }
    })
    const asked = { publicKey: id, ...decision, nowMs, expiresAtMs, by, ...expectation }
    const outcome = await registry.decideApproval(asked)
    if (outcome === 'precondition-failed') throw changedMeanwhile()
    const record = await find(id)
    // It asked in between: nothing was decided about it.
    if (outcome === 'unknown') throw unknownApproval()
    if (outcome === 'settled') {
      const detail = `id: it was approved; suspend or retire the device ${record.deviceId} instead`
      throw new RequestRefused({ code: 'approval-settled', detail })
    }
    if (outcome === 'exists') {
      const detail = `id: ${record.deviceId} is in the inventory by now; deny this, and look who has asked`
      throw new RequestRefused({ code: 'device-exists', detail })
    }
    return showApproval(record)
  }

  const refusals = ['field-invalid', 'role-not-allowed', 'approval-unknown', 'approval-settled'] as const
  resource(app, '/v1/approvals/:id/approve', {
    POST: endpoint({
      access: 'operator',
      summary: 'Approve: register the device, whose key then gets its certificate',
      params,
      body: z.strictObject({ labels: labels.default({}) }).default({ labels: {} }),
      answer: { status: 200, schema: approval },
      isConditional: true,
      refusals: [...refusals, 'device-exists'],
      handle: async ({ params: { id }, body, request }) =>
        decide(request, id, { state: 'approved', ...body }),
    }),
  })
  resource(app, '/v1/approvals/:id/deny', {
    POST: endpoint({
      access: 'operator',
      summary: 'Deny: the key is refused until this is forgotten',
      params,
      body: z.strictObject({}).default({}),
      answer: { status: 200, schema: approval },
      isConditional: true,
      refusals,
      handle: async ({ params: { id }, request }) => decide(request, id, { state: 'denied' }),
    }),
  })
}

function unknownApproval(): RequestRefused {
  const detail = 'id: no key with this SHA-256 has asked, or so long ago that it is forgotten'
  return new RequestRefused({ code: 'approval-unknown', detail })
}

function showApproval(record: ApprovalRecord): z.input<typeof approval> {
  const { publicKey, deviceId, profile, state, address, askedAtMs, decidedAtMs, expiresAtMs, serial } = record
  return {
    id: publicKey,
    deviceId,
    profile,
    state,
    address,
    askedAt: isoTime(askedAtMs),
    ...(decidedAtMs !== undefined && { decidedAt: isoTime(decidedAtMs) }),
    expiresAt: isoTime(expiresAtMs),
    ...(serial !== undefined && { serial }),
  }
}
