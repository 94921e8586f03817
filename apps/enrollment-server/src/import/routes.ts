import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Profile } from '@fleetroot/pki'
import type { Logger } from '@fleetroot/service'
import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify'
import { drainBody } from '../http/body-drain.ts'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { Registry } from '../registry/registry.ts'
import { actorOf } from '../rest/actor.ts'
import { securityOf } from '../rest/endpoint.ts'
import { type ImportFormat, importDevices } from './import.ts'
import { refuseMatch } from '../rest/entity-tag.ts'

/** What imports are served from. */
export interface ImportDependencies {
  readonly registry: Registry
  readonly profiles: ReadonlyMap<string, Profile>
  readonly now: () => Date
  readonly logger: Logger
  /** Rejects when the client certificate of a request, which may be minutes old, is not good any more. */
  readonly recheck: (request: FastifyRequest) => Promise<unknown>
}

const formats: Readonly<Record<string, ImportFormat>> = {
  'text/csv': 'csv',
  'application/x-ndjson': 'ndjson',
}

/** How long the next part of a file may take. */
const idleMs = 20_000

/** Serves the import of an inventory: a file in, a line for every row that was refused out, while it is coming in. */
export async function importRoutes(app: FastifyInstance, dependencies: ImportDependencies): Promise<void> {
  const { registry, profiles, now, logger, recheck } = dependencies
  app.removeAllContentTypeParsers()
  for (const type of Object.keys(formats)) {
    // Nothing is read yet: the handler takes the file as it comes.
    app.addContentTypeParser(type, (_request, payload, done) => done(null, payload))
  }
  resource(app, '/v1/devices/import', {
    POST: {
      access: 'operator',
      isStreamed: true,
      schema: {
        summary: 'Register the devices of a file, CSV or NDJSON; what is there already is unchanged',
        security: securityOf.operator,
      } as FastifySchema,
      handler: async (request, reply) => {
        refuseMatch(request.headers['if-match'])
        const isDry = readDryRun(request)
        const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() ?? ''
        const format = formats[type]
        if (format === undefined) {
          const detail = 'Content-Type: must be text/csv or application/x-ndjson'
          throw new RequestRefused({ code: 'content-type-unsupported', detail })
        }
        const watched: Pick<Registry, 'importDevices'> = {
          importDevices: async (input) => {
            await recheck(request)
            return registry.importDevices(input)
          },
        }
        const lines = importDevices(patient(request.raw), {
          format,
          isDry,
          profiles,
          registry: watched,
          by: actorOf(request),
          now,
        })
        const first = await lines.next().catch(async (error: unknown) => {
          if (!(await drainBody(request.raw))) reply.header('connection', 'close')
          throw error
        })
        reply.hijack()
        await answer(request.raw, reply.raw, lines, first).catch((error: unknown) => {
          if (!request.raw.destroyed) logger.error({ err: error }, 'an import failed')
          reply.raw.destroy()
        })
        return reply
      },
    },
  })
}

/**
 * Writes the answer without waiting for its reader, who may still be sending: it is small, however large the file is. Every
 * row that was refused is shown up to a limit, and progress is told a few times a second.
 */
async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  lines: AsyncGenerator<string>,
  first: IteratorResult<string>,
): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' })
  for (let next = first; next.done !== true; next = await lines.next()) {
    if (response.destroyed) return
    if (next.value !== '') response.write(next.value)
  }
  // A client that is still sending hears the answer before the connection ends.
  const isOver = await drainBody(request)
  response.end()
  if (!isOver) response.once('finish', () => request.destroy())
}

/** The body, as long as it goes on coming. */
async function* patient(body: IncomingMessage): AsyncGenerator<Uint8Array> {
  const detail = `body: nothing came for ${idleMs / 1000} s`
  const silent = Promise.withResolvers<never>()
  // Nobody may be waiting when it happens.
  silent.promise.catch(() => undefined)
  const timer = setTimeout(
    () => silent.reject(new RequestRefused({ code: 'request-timeout', detail })),
    idleMs,
  )
  const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>
  try {
    for (;;) {
      const next = await Promise.race([chunks.next(), silent.promise])
      if (next.done === true) return
      yield next.value
      timer.refresh()
    }
  } finally {
    clearTimeout(timer)
  }
}

function readDryRun(request: FastifyRequest): boolean {
  const { dryRun, ...others } = request.query as Record<string, unknown>
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) {
    const detail = `query: has fields that are not known here: ${JSON.stringify(unknown.slice(0, 40))}`
    throw new RequestRefused({ code: 'field-invalid', detail })
  }
  if (dryRun === undefined || dryRun === 'false') return false
  if (dryRun === 'true') return true
  throw new RequestRefused({ code: 'field-invalid', detail: 'query.dryRun: must be true or false' })
}
