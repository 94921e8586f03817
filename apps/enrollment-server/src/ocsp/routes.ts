import { createHash } from 'node:crypto'
import { maxOcspRequestBytes } from '@fleetroot/pki'
import type { Logger } from '@fleetroot/service'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { ocspPath } from '../authority/urls.ts'
import { resource } from '../http/resource.ts'
import { type OcspAnswer, ocspError, type OcspResponder } from './responder.ts'

/** What OCSP is served from. */
export interface OcspRouteDependencies {
  /** Undefined until the server has its signers. */
  readonly responder: () => OcspResponder | undefined
  readonly logger: Logger
  /** Told of every answer: its status, and how long it took. */
  readonly answered: (status: string, seconds: number) => void
}

/**
 * Serves OCSP over HTTP (RFC 6960, appendix A): POST with the request as body, GET with it in base64 behind the
 * path, as it is or URL-encoded. Whatever is asked, the answer is an OCSP response under HTTP 200, so that a client
 * need not understand anything else; `tryLater` and `internalError` say that it is our fault.
 * The instance must be one of its own: it takes no other body from then on.
 */
export function ocspRoutes(
  app: FastifyInstance,
  { responder, logger, answered }: OcspRouteDependencies,
): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/ocsp-request',
    { parseAs: 'buffer', bodyLimit: maxOcspRequestBytes },
    (_request, body, done) => {
      done(null, body)
    },
  )

  async function ask(request: Uint8Array): Promise<OcspAnswer> {
    const answering = responder()
    if (!answering) return ocspError('tryLater')
    try {
      return await answering(request)
    } catch (error) {
      logger.error({ err: error }, 'cannot answer an OCSP request')
      return ocspError('internalError')
    }
  }

  async function answer(request: Uint8Array): Promise<OcspAnswer> {
    const startedMs = performance.now()
    const given = await ask(request)
    answered(given.status, (performance.now() - startedMs) / 1000)
    return given
  }

  resource(app, ocspPath, {
    POST: {
      access: 'public',
      schema: { hide: true },
      handler: async ({ body }, reply) => {
        const { der, status } = await answer(Buffer.isBuffer(body) ? body : Buffer.alloc(0))
        return send(reply, { der, status })
      },
    },
  })
  resource(app, `${ocspPath}/*`, {
    GET: {
      access: 'public',
      schema: { hide: true },
      // Not the router's parameter: it has undone encodings that mean something here.
      handler: async ({ raw }, reply) => send(reply, await answer(decodeGetPath(raw.url ?? ''))),
    },
  })
}

/** The request in the path of a GET; nothing, which is malformed, for a path that holds none. */
function decodeGetPath(url: string): Buffer {
  const path = url.slice(url.indexOf(`${ocspPath}/`) + ocspPath.length + 1).split('?')[0] ?? ''
  try {
    const text = decodeURIComponent(path)
    return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text, 'base64') : Buffer.alloc(0)
  } catch {
    return Buffer.alloc(0)
  }
}

/** RFC 5019, section 6.2: what a cache in between needs to know. */
function send(reply: FastifyReply, { der, validity }: OcspAnswer): FastifyReply {
  reply.type('application/ocsp-response')
  if (!validity) return reply.header('cache-control', 'no-store').send(der)
  const { thisUpdate, nextUpdate } = validity
  // Before nextUpdate, so that no client gets an answer that is over when it arrives.
  const seconds = Math.floor(((nextUpdate.getTime() - thisUpdate.getTime()) * 0.9) / 1000)
  return reply
    .header('cache-control', `max-age=${seconds}, public, no-transform, must-revalidate`)
    .header('last-modified', thisUpdate.toUTCString())
    .header('expires', nextUpdate.toUTCString())
    .header('etag', `"${createHash('sha256').update(der).digest('base64url')}"`)
    .send(der)
}
