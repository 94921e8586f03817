import swagger from '@fastify/swagger'
import type { Profile } from '@fleetroot/pki'
import type { FastifyInstance } from 'fastify'
import type { Authorities } from '../authority/authorities.ts'
import type { Enroll } from '../enrollment/decisions.ts'
import { type ImportDependencies, importRoutes } from '../import/routes.ts'
import { resource } from '../http/resource.ts'
import { finishDocument, type OpenApiDocument } from '../openapi/document.ts'
import { referenceRoutes } from '../openapi/reference.ts'
import type { Registry } from '../registry/registry.ts'
import { activationRoutes } from './activations.ts'
import { approvalRoutes } from './approvals.ts'
import { type AuditDependencies, auditRoutes } from './audit.ts'
import { caRoutes } from './ca.ts'
import { certificateRoutes } from './certificates.ts'
import { claimRoutes } from './claims.ts'
import { deviceChangeRoutes } from './device-changes.ts'
import { deviceRoutes } from './devices.ts'
import { useEndpoints } from './endpoint.ts'
import { enrollmentRoutes } from './enrollments.ts'
import { createOnce } from './idempotency.ts'
import { revocationRoutes } from './revocations.ts'
import { type RotationDependencies, rotationRoutes } from './rotations.ts'
import { tokenRoutes } from './tokens.ts'

/** What the REST API serves from. */
export interface RestDependencies
  extends Omit<RotationDependencies, 'once'>, ImportDependencies, AuditDependencies {
  readonly authorities: Authorities
  readonly registry: Registry
  readonly enroll: Enroll
  readonly profiles: ReadonlyMap<string, Profile>
  readonly trustDomain: string
  readonly tokenLifetimeMs: number
  readonly approvalLifetimeMs: number
  readonly version: string
}

/** OpenAPI 3.1 has this type; the typings of OpenAPI 3.0 do not. */
const mutualTls = {
  certificate: { type: 'mutualTLS', description: 'Any certificate of this hierarchy' },
  claimCertificate: { type: 'mutualTLS', description: 'A certificate with the role claim' },
  serviceCertificate: { type: 'mutualTLS', description: 'A certificate with the role service or operator' },
  brokerCertificate: { type: 'mutualTLS', description: 'A certificate of a service with the profile broker' },
  operatorCertificate: { type: 'mutualTLS', description: 'A certificate with the role operator' },
} as object

/** Serves `/v1` and its OpenAPI 3.1 document, which is made once, when the server is ready. */
export async function restRoutes(app: FastifyInstance, dependencies: RestDependencies): Promise<void> {
  const { authorities, registry, enroll, profiles, trustDomain, tokenLifetimeMs, version, now } = dependencies
  useEndpoints(app)
  // JSON or nothing: fastify reads this one by itself.
  app.removeContentTypeParser('text/plain')
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Fleetroot enrollment server',
        version,
        description: 'Certificates for devices. Refusals are problems of RFC 9457 with a stable `code`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: '/', description: 'This server' }],
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer', description: 'One-time token of a device' },
          basicToken: { type: 'http', scheme: 'basic', description: 'Device id and one-time token' },
          ...mutualTls,
        },
      },
    },
  })
  caRoutes(app, { authorities, trustDomain })
  const once = createOnce(registry)
  rotationRoutes(app, { ...dependencies, once })
  deviceRoutes(app, { registry, profiles, now })
  await app.register(async (scope) => importRoutes(scope, dependencies))
  deviceChangeRoutes(app, { registry, now })
  tokenRoutes(app, { registry, now, lifetimeMs: tokenLifetimeMs })
  auditRoutes(app, dependencies)
  claimRoutes(app, { registry, enroll, authorities, profiles, trustDomain, now, once })
  revocationRoutes(app, { registry, now })
  activationRoutes(app, { registry, now })
  approvalRoutes(app, { registry, now, lifetimeMs: dependencies.approvalLifetimeMs })
  certificateRoutes(app, { registry, now })
  enrollmentRoutes(app, { enroll, authorities })

  referenceRoutes(app)

  let document = ''
  app.addHook('onReady', async () => {
    document = JSON.stringify(finishDocument(app.swagger() as unknown as OpenApiDocument))
  })
  resource(app, '/v1/openapi.json', {
    GET: {
      access: 'public',
      schema: { hide: true },
      handler: (_request, reply) => reply.type('application/json').send(document),
    },
  })
}
