import type { FastifyInstance } from 'fastify'
import type { Authority } from '../authority/authority.ts'
import { resource } from './resource.ts'

/**
 * Serves the CA certificates in DER where certificates say that their issuer can be found (AIA caIssuers,
 * RFC 5280, section 4.2.2.1). Plain HTTP is right for them: each proves itself by its signature.
 */
export function caCertificateRoutes(app: FastifyInstance, { root, issuers }: Authority): void {
  const files = { root, devices: issuers.devices.certificate, services: issuers.services.certificate }
  for (const [name, { der }] of Object.entries(files)) {
    resource(app, `/ca/${name}.crt`, {
      GET: {
        access: 'public',
        handler: (_request, reply) =>
          reply.type('application/pkix-cert').header('cache-control', 'public, max-age=3600').send(der),
      },
    })
  }
}
