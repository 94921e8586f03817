import { Readable } from 'node:stream'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { isIssuerId } from '../authority/ca-id.ts'
import { resource } from '../http/resource.ts'
import { RequestRefused } from '../problem/refusal.ts'
import type { CrlPublication } from './publication.ts'
import type { PublishedCrl } from './publisher.ts'

/**
 * Serves the CRLs in DER (RFC 5280, section 4.2.1.13; media type of RFC 2585, section 4.2), each under the id of its
 * CA. Caches may keep them and must ask each time whether they are still new: a list is made anew within a second of a
 * revocation, and the answer to `If-None-Match` is short.
 * @param publication undefined until the server has made the first lists
 * @param refresh resolves when this process knows of every CA
 */
export function crlRoutes(
  app: FastifyInstance,
  publication: () => CrlPublication | undefined,
  refresh: () => Promise<void>,
): void {
  const ready = (): CrlPublication => {
    const made = publication()
    if (made) return made
    throw new RequestRefused({
      code: 'registry-unavailable',
      detail: 'CRL: the server is starting',
      retryAfterSeconds: 1,
    })
  }
  resource(app, '/crl/:file', {
    GET: {
      access: 'public',
      handler: async (request, reply) => {
        const { issuer, isDelta } = fileOf(request)
        const lists = ready()
        // Another process may have just introduced it.
        if (!lists.complete(issuer)) await refresh()
        const complete = lists.complete(issuer)
        if (!complete) throw unknownPath(`path: no CRL is made for ${issuer}`)
        const list = isDelta ? lists.delta(issuer) : complete
        if (list) return send(request, reply, list)
        throw unknownPath(`path: there is no delta; the list of ${issuer} is small`)
      },
    },
  })
}

/** `devices-2.crl` and `devices-2-delta.crl`. */
function fileOf(request: FastifyRequest): { issuer: string; isDelta: boolean } {
  const { file } = request.params as { file: string }
  const [, issuer = '', delta] = /^(.*?)(-delta)?\.crl$/.exec(file) ?? []
  if (!isIssuerId(issuer))
    throw unknownPath('path: CRLs are at /crl/devices.crl, /crl/services.crl and so on')
  return { issuer, isDelta: delta !== undefined }
}

function unknownPath(detail: string): RequestRefused {
  return new RequestRefused({ code: 'path-unknown', detail })
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
  const length = crl.pieces.reduce((sum, { byteLength }) => sum + byteLength, 0)
  return reply.type('application/pkix-crl').header('content-length', length).send(Readable.from(crl.pieces))
}

/** Only by number: two lists may have the same thisUpdate, which counts seconds, so If-Modified-Since is not looked at. */
function isSame({ headers }: FastifyRequest, etag: string): boolean {
  const asked = headers['if-none-match']
  return asked?.split(',').some((one) => ['*', etag, `W/${etag}`].includes(one.trim())) ?? false
}
