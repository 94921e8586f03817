import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import type { Authorities } from '../authority/authorities.ts'
import { crossCertificates, currentRoot, issuersOf, trustedAuthorities } from '../authority/authority.ts'
import { kindOf } from '../authority/ca-id.ts'
import { resource } from '../http/resource.ts'
import { showCertified, trustedAuthority } from './authority.ts'
import { endpoint } from './endpoint.ts'

const pem = z.string().meta({ description: 'PEM' })
const pems = (description: string) => z.array(pem).meta({ description })

/** What everybody may know of the CAs. */
const bundle = z
  .object({
    root: pem.meta({ description: 'The current root, PEM' }),
    roots: pems('All trusted roots, the current one first'),
    cross: pems(
      'Roots certified by another trusted root, and issuing CAs as another trusted root signed them',
    ),
    issuers: z.object({
      devices: pems('CAs of devices: the issuing one first, then introduced, then retiring ones'),
      services: pems('CAs of services, operators and claims, in the same order'),
    }),
    authorities: z.array(trustedAuthority),
    trustDomain: z.string(),
  })
  .meta({ description: 'Trust a root only if you have it from elsewhere, or one that you have certified it' })

/** Serves the CA certificates and says which one issues what. */
export function caRoutes(
  app: FastifyInstance,
  { authorities, trustDomain }: { authorities: Authorities; trustDomain: string },
): void {
  resource(app, '/v1/ca', {
    GET: endpoint({
      access: 'public',
      summary: 'Read the roots and the issuing CAs',
      answer: { status: 200, schema: bundle },
      handle: async () => {
        // Whoever heard of a change from another process must not be told what was before it.
        await authorities.refresh()
        const authority = authorities.current()
        const pemsOf = (all: readonly { certificate: { pem: string } }[]) =>
          all.map(({ certificate }) => certificate.pem)
        return {
          root: currentRoot(authority).certificate.pem,
          roots: pemsOf(authority.roots),
          cross: crossCertificates(authority).map((one) => one.pem),
          issuers: {
            devices: pemsOf(issuersOf(authority, 'devices')),
            services: pemsOf(issuersOf(authority, 'services')),
          },
          authorities: trustedAuthorities(authority).map(({ id, state, certificate }) => ({
            id,
            kind: kindOf(id),
            state,
            ...showCertified({ certificate }),
          })),
          trustDomain,
        }
      },
    }),
  })
}
