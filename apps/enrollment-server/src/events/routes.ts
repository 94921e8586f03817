import type { FastifyInstance, FastifyRequest, FastifySchema } from 'fastify'
import type { Logger } from '@fleetroot/service'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { Metrics } from '../server/metrics.ts'
import type { RegistryEvent } from '../registry/event-log.ts'
import type { Registry } from '../registry/registry.ts'
import { securityOf } from '../rest/endpoint.ts'
import type { EventFeed } from './feed.ts'
import { heartbeat } from './format.ts'
import { streamEvents } from './stream.ts'

/** Each holds a connection and reads the registry for itself; a fleet has a handful of brokers. */
const maxStreams = 256

/** Of these, by one identity: brokers may share one, and none may keep the others from hearing of a revocation. */
const maxStreamsOfOne = 32

/** What the event stream is served from. */
export interface EventDependencies {
  readonly registry: Registry
  readonly feed: EventFeed
  readonly logger: Logger
  /** Rejects when the client certificate of a request, which may be hours old, is not good any more. */
  readonly recheck: (request: FastifyRequest) => Promise<unknown>
  readonly watchStreams: Metrics['watchStreams']
}

/**
 * Serves the events as server-sent ones (https://html.spec.whatwg.org/multipage/server-sent-events.html), to
 * services and operators. `Last-Event-ID`, or `?after=`, says where to go on.
 */
export function eventRoutes(app: FastifyInstance, dependencies: EventDependencies): void {
  const { registry, feed, logger, recheck, watchStreams } = dependencies
  /** The open streams, each with whose it is and the last event that it was sent. */
  const streams = new Map<object, { readonly id: string | undefined; readonly seen: number }>()
  watchStreams(() => ({
    open: streams.size,
    behind: Math.max(0, ...[...streams.values()].map(({ seen }) => feed.heads().last - seen)),
  }))
  resource(app, '/v1/events', {
    GET: {
      access: 'service',
      schema: {
        summary: 'Follow what happens to certificates, as server-sent events',
        security: securityOf.service,
      } as FastifySchema,
      handler: (request, reply) => {
        const after = readAfter(request)
        const headers = { 'content-type': 'text/event-stream', 'cache-control': 'no-store' }
        if (request.method === 'HEAD') return reply.headers(headers).send()
        const { credential } = request
        const id = credential?.kind === 'certificate' ? credential.id : undefined
        const own = [...streams.values()].filter((other) => other.id === id).length
        if (streams.size >= maxStreams || own >= maxStreamsOfOne) {
          const which = own >= maxStreamsOfOne ? `${own} streams of ${id}` : `${maxStreams} streams`
          const detail = `events: ${which} are open; close one`
          throw new RequestRefused({ code: 'streams-limited', detail, retryAfterSeconds: 5 })
        }
        reply.hijack()
        const response = reply.raw
        // Proxies that buffer would hold events back.
        response.writeHead(200, { ...headers, 'x-accel-buffering': 'no' })
        response.write(heartbeat)
        const stream = {}
        streams.set(stream, { id, seen: after ?? feed.heads().last })
        streamEvents({
          registry,
          feed,
          response,
          after,
          progress: (seen) => void streams.set(stream, { id, seen }),
          concerns: ({ type, deviceId }: RegistryEvent) =>
            type === 'authorities' || (deviceId === id && type !== 'issued' && type !== 'renewed'),
          recheck: async () => void (await recheck(request)),
        })
          .catch((error: unknown) => logger.error({ err: error }, 'an event stream failed'))
          .finally(() => {
            streams.delete(stream)
          })
        return reply
      },
    },
  })
}

function readAfter(request: FastifyRequest): number | undefined {
  const header = request.headers['last-event-id']
  const { after } = request.query as { after?: unknown }
  const [field, text] = header === undefined ? ['query.after', after] : ['Last-Event-ID', header]
  if (text === undefined) return undefined
  if (typeof text === 'string' && /^\d{1,15}$/.test(text)) return Number(text)
  throw new RequestRefused({ code: 'field-invalid', detail: `${field}: must be the id of an event` })
}
