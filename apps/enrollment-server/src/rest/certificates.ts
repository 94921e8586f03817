import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { CertificateRecord } from '../registry/records.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from './actor.ts'
import { certificate, revocationReason, serialNumber, showCertificate } from './certificate.ts'
import { decodeCursor, encodeCursor, numberCursor, pageLimit } from './cursor.ts'
import { deviceId } from './device.ts'
import { changedMeanwhile, expectationOf } from './entity-tag.ts'
import { endpoint } from './endpoint.ts'

const statuses = ['issued', 'active', 'superseded', 'held', 'revoked', 'expired'] as const

/** Serves what the registry knows of certificates, and their revocation by serial number. */
export function certificateRoutes(
  app: FastifyInstance,
  { registry, now }: { registry: Registry; now: () => Date },
): void {
  async function find(serial: string): Promise<CertificateRecord> {
    const record = await registry.findCertificate(serial)
    if (record) return record
    throw new RequestRefused({ code: 'serial-unknown', detail: `serial: ${serial} was not issued here` })
  }

  resource(app, '/v1/certificates', {
    GET: endpoint({
      access: 'operator',
      summary: 'List certificates in the order of their issuance',
      query: z.strictObject({
        limit: pageLimit,
        cursor: numberCursor.optional(),
        deviceId: deviceId.optional(),
        status: z.enum(statuses, { error: `must be one of ${statuses.join(', ')}` }).optional(),
      }),
      answer: {
        status: 200,
        schema: z.object({ items: z.array(certificate), nextCursor: z.string().optional() }).meta({
          description: 'One page; `nextCursor` is there when more follow',
        }),
      },
      refusals: ['field-invalid', 'role-not-allowed'],
      handle: async ({ query: { limit, cursor, deviceId, status } }) => {
        const at = now()
        const { items, next } = await registry.listCertificates({
          limit,
          nowMs: at.getTime(),
          ...(cursor !== undefined && { after: Number(decodeCursor(cursor)) }),
          ...(deviceId !== undefined && { deviceId }),
          ...(status && { status }),
        })
        return {
          items: items.map((record) => showCertificate(record, at)),
          ...(next !== undefined && { nextCursor: encodeCursor(String(next)) }),
        }
      },
    }),
  })

  resource(app, '/v1/certificates/:serial', {
    GET: endpoint({
      access: 'operator',
      summary: 'Read a certificate by its serial number',
      params: z.object({ serial: serialNumber }),
      answer: { status: 200, schema: certificate },
      refusals: ['field-invalid', 'role-not-allowed', 'serial-unknown'],
      handle: async ({ params: { serial } }) => showCertificate(await find(serial), now()),
    }),
  })

  resource(app, '/v1/certificates/:serial/revoke', {
    POST: endpoint({
      access: 'operator',
      summary: 'Revoke a certificate for good; once is as good as twice',
      params: z.object({ serial: serialNumber }),
      body: z.strictObject({ reason: revocationReason }).default({ reason: 'unspecified' }),
      answer: { status: 200, schema: certificate },
      isConditional: true,
      refusals: ['field-invalid', 'role-not-allowed', 'serial-unknown'],
      handle: async ({ params: { serial }, body: { reason }, request }) => {
        const expectation = await expectationOf(request, 'certificate', serial, async () => {
          const record = await registry.findCertificate(serial)
          return record && { record, shown: showCertificate(record, now()) }
        })
        const change = { serial, reason, atMs: now().getTime(), by: actorOf(request), ...expectation }
        if ((await registry.revokeCertificate(change)) === 'precondition-failed') throw changedMeanwhile()
        return showCertificate(await find(serial), now())
      },
    }),
  })
}
