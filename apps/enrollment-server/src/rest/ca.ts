import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Authority } from '../authority/authority.ts'
import { resource } from '../http/resource.ts'
import { endpoint } from './endpoint.ts'

/** Serves the CA certificates and says which one issues what. */
export function caRoutes(
  app: FastifyInstance,
  { authority, trustDomain }: { authority: Authority; trustDomain: string },
): void {
  const { root, issuers } = authority
  const answer = {
    root: root.pem,
    issuers: { devices: [issuers.devices.certificate.pem], services: [issuers.services.certificate.pem] },
    trustDomain,
  }
  const pem = z.string().meta({ description: 'PEM' })
  resource(app, '/v1/ca', {
    GET: endpoint({
      access: 'public',
      summary: 'Read the root and the issuing CAs',
      answer: {
        status: 200,
        schema: z
          .object({
            root: pem,
            issuers: z.object({ devices: z.array(pem), services: z.array(pem) }),
            trustDomain: z.string(),
          })
          .meta({ description: 'Trust the root only if you have it from elsewhere as well' }),
      },
      handle: () => answer,
    }),
  })
}
