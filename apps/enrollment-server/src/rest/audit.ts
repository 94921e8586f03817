import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify'
import { z } from 'zod'
import { resource } from '../http/resource.ts'
import type { Registry } from '../registry/registry.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { pageLimit } from './cursor.ts'
import { endpoint, securityOf } from './endpoint.ts'

const recordNumber = z
  .string()
  .regex(/^\d{1,15}$/, { error: 'must be the number of a record' })
  .transform(Number)
  .default(0)

const head = z.object({
  seq: z.int(),
  hash: z.string().meta({ description: 'SHA-256, in hexadecimal' }),
})

const record = z
  .object({
    record: z.looseObject({ seq: z.int(), at: z.iso.datetime(), type: z.string() }),
    hash: z.string(),
  })
  .meta({ description: 'SHA-256 over the hash before it (32 octets) and the canonical JSON of `record`' })

/** What the audit is served from. */
export interface AuditDependencies {
  readonly registry: Registry
  readonly recheck: (request: FastifyRequest) => Promise<unknown>
  /** Resolves when what this server refused until now is in the audit, for which no refusal waits. */
  readonly auditWritten: () => Promise<unknown>
}

/** Serves the audit: as pages, and whole as NDJSON, one record a line, to be kept and verified elsewhere. */
export function auditRoutes(
  app: FastifyInstance,
  { registry, recheck, auditWritten }: AuditDependencies,
): void {
  resource(app, '/v1/audit', {
    GET: endpoint({
      access: 'operator',
      summary: 'Read the audit from a record on, and its head',
      query: z.strictObject({ after: recordNumber, limit: pageLimit }),
      answer: {
        status: 200,
        schema: z
          .object({ items: z.array(record), head })
          .meta({ description: 'One page; `head` is the newest record, to be noted down elsewhere' }),
      },
      refusals: ['field-invalid', 'role-not-allowed'],
      handle: async ({ query }) => {
        await auditWritten()
        // After the page, so that the head is never older than it.
        const items = await registry.listAudit(query)
        return { items: items as z.input<typeof record>[], head: await registry.auditHead(undefined) }
      },
    }),
  })

  resource(app, '/v1/audit/export', {
    GET: {
      access: 'operator',
      schema: {
        summary: 'Read the audit as NDJSON, one record a line, from the number `after` on',
        security: securityOf.operator,
      } as FastifySchema,
      handler: async (request, reply) => {
        const { after } = request.query as { after?: unknown }
        const asked = recordNumber.safeParse(after)
        if (!asked.success) {
          const detail = 'query.after: must be the number of a record'
          throw new RequestRefused({ code: 'field-invalid', detail })
        }
        await auditWritten()
        reply.type('application/x-ndjson').header('cache-control', 'no-store')
        // A stream that is read at the pace of the client: the audit of a fleet is long.
        return reply.send(
          request.method === 'HEAD'
            ? ''
            : Readable.from(linesAfter(registry, asked.data, () => recheck(request))),
        )
      },
    },
  })
}

/** The audit behind a record, as NDJSON. Whoever is revoked while reading gets no further: `mayGoOn` rejects, and the connection breaks off. */
export async function* linesAfter(
  registry: Pick<Registry, 'listAudit'>,
  after: number,
  mayGoOn: () => Promise<unknown>,
): AsyncGenerator<string> {
  let last = after
  for (;;) {
    await mayGoOn()
    const records = await registry.listAudit({ after: last, limit: 500 })
    if (records.length === 0) return
    yield records.map((record) => `${JSON.stringify(record)}\n`).join('')
    last = records.at(-1)?.record.seq ?? last
  }
}
