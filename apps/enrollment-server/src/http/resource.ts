import type { FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { RequestRefused } from '../problem/refusal.ts'
import type { Access } from './access.ts'

/** One method of a resource. Without `access` nobody gets in; the type does not let it be forgotten. */
export interface Operation {
  readonly access: Access
  readonly schema?: FastifySchema
  /** Where a body may be larger than that of other routes. */
  readonly bodyLimitBytes?: number
  /** The handler reads the body as it comes, and sees to it that it comes. */
  readonly isStreamed?: boolean
  readonly handler: (request: FastifyRequest, reply: FastifyReply) => unknown
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

/**
 * Serves a path: the methods that are given, HEAD where there is GET, and 405 with `Allow` for every other one
 * (RFC 9110, section 15.5.6), decided before a body is read.
 */
export function resource(
  app: FastifyInstance,
  url: string,
  operations: Partial<Record<'GET' | 'POST' | 'PUT', Operation>>,
): void {
  const served = Object.entries(operations)
  for (const [method, { access, schema, bodyLimitBytes, isStreamed, handler }] of served) {
    app.route({
      method,
      url,
      config: { access, ...(isStreamed && { isStreamed }) },
      handler,
      ...(schema && { schema }),
      ...(bodyLimitBytes !== undefined && { bodyLimit: bodyLimitBytes }),
    })
  }
  const allowed = [...served.map(([method]) => method), ...('GET' in operations ? ['HEAD'] : [])]
  app.route({
    method: methods.filter((method) => !allowed.includes(method)),
    url,
    schema: { hide: true },
    config: { access: 'public' },
    onRequest: async (_request, reply) => {
      reply.header('allow', allowed.join(', '))
      throw new RequestRefused({ code: 'method-not-allowed', detail: `method: use ${allowed.join(' or ')}` })
    },
    handler: () => undefined,
  })
}
