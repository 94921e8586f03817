import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { IssuerName } from '../authority/authority.ts'
import { crlPath, deltaCrlPath } from '../authority/urls.ts'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { CrlPublication } from './publication.ts'
import type { PublishedCrl } from './publisher.ts'

const issuers: readonly IssuerName[] = ['devices', 'services']

/**
 * Serves the CRLs in DER (RFC 5280, section 4.2.1.13; media type of RFC 2585, section 4.2). Caches may keep them and
 * must ask each time whether they are still new: a list is made anew within a second of a revocation, and the
 * answer to `If-None-Match` is short.
 * @param publication undefined until the server has made the first lists
 */
export function crlRoutes(app: FastifyInstance, publication: () => CrlPublication | undefined): void {
  const ready = (): CrlPublication => {
    const made = publication()
    if (made) return made
    throw new RequestRefused({
      code: 'registry-unavailable',
      detail: 'CRL: the server is starting',
      retryAfterSeconds: 1,
    })
  }
  for (const issuer of issuers) {
    resource(app, crlPath(issuer), {
      GET: { access: 'public', handler: (request, reply) => send(request, reply, ready().complete(issuer)) },
    })
    resource(app, deltaCrlPath(issuer), {
      GET: {
        access: 'public',
        handler: (request, reply) => {
          const delta = ready().delta(issuer)
          if (delta) return send(request, reply, delta)
          throw new RequestRefused({
            code: 'path-unknown',
            detail: `path: there is no delta; the list of ${issuer} is small`,
          })
        },
      },
    })
  }
}

function send(request: FastifyRequest, reply: FastifyReply, { crl, eventId }: PublishedCrl): FastifyReply {
  // A number belongs to one list, over all processes on a registry.
  const etag = `"${crl.baseNumber === undefined ? '' : 'delta-'}${crl.number}"`
  reply
    .header('etag', etag)
    .header('last-modified', crl.thisUpdate.toUTCString())
    .header('cache-control', 'public, no-cache')
    .header('fleetroot-event-id', String(eventId))
  if (isSame(request, etag)) return reply.code(304).send()
  return reply.type('application/pkix-crl').send(crl.der)
}

/** Only by number: two lists may have the same thisUpdate, which counts seconds, so If-Modified-Since is not looked at. */
function isSame({ headers }: FastifyRequest, etag: string): boolean {
  const asked = headers['if-none-match']
  return asked?.split(',').some((one) => ['*', etag, `W/${etag}`].includes(one.trim())) ?? false
}
