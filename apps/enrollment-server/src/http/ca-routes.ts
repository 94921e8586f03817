import type { FastifyInstance } from 'fastify'
import { trustedAuthorities } from '../authority/authority.ts'
import type { Authorities } from '../authority/authorities.ts'
import { isCaId } from '../authority/ca-id.ts'
import { RequestRefused } from '../problem/refusal.ts'
import { resource } from './resource.ts'

/**
 * Serves the CA certificates in DER where certificates say that their issuer can be found (AIA caIssuers,
 * RFC 5280, section 4.2.2.1), under the id of the CA. Plain HTTP is right for them: each proves itself by its signature.
 */
export function caCertificateRoutes(
  app: FastifyInstance,
  authorities: Pick<Authorities, 'current' | 'refresh'>,
): void {
  const find = (id: string) => trustedAuthorities(authorities.current()).find((one) => one.id === id)
  resource(app, '/ca/:file', {
    GET: {
      access: 'public',
      handler: async (request, reply) => {
        const { file } = request.params as { file: string }
        const [, id = ''] = /^(.*)\.crt$/.exec(file) ?? []
        // Another process may have just introduced it.
        if (isCaId(id) && !find(id)) await authorities.refresh()
        const found = find(id)
        if (!found) throw new RequestRefused({ code: 'path-unknown', detail: 'path: no CA has this name' })
        return reply
          .type('application/pkix-cert')
          .header('cache-control', 'public, max-age=3600')
          .send(found.certificate.der)
      },
    },
  })
}
