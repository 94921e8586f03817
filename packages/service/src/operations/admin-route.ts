import { isIP } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** A request to an administrative route. */
export interface AdminRequest {
  /** What stands in the place of `:name` in the path. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** The parsed JSON; undefined: there was none. */
  readonly body: unknown
}

/** What it is answered with, as JSON; default status 200. */
export interface AdminAnswer {
  readonly status?: number
  readonly body?: unknown
}

/** An administrative route of an app, on its operations listener. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for a part that varies. */
  readonly path: string
  readonly answer: (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>
}

/**
 * Adds routes for whoever may use the loopback interface of this machine, which is all that they ask for. So a browser
 * on it must not be used against them: refused is a request that comes from a web page (Origin), and one
 * that was made for another name than an address or `localhost` (DNS rebinding).
 */
export function addAdminRoutes(server: FastifyInstance, routes: readonly AdminRoute[]): void {
  for (const { method, path, answer } of routes) {
    server.route({
      method,
      url: path,
      handler: async (request, reply) => {
        const refusal = refuse(request)
        if (refusal !== undefined) return reply.code(403).send({ code: 'forbidden', detail: refusal })
        const { status = 200, body } = await answer({
          params: request.params as Record<string, string>,
          query: request.query as Record<string, string>,
          body: request.body,
        })
        return reply.code(status).send(body)
      },
    })
  }
}

function refuse({ headers, hostname }: FastifyRequest): string | undefined {
  if (headers.origin !== undefined) return 'the request comes from a web page'
  const name = hostname.replace(/^\[|\]$/g, '')
  return name === 'localhost' || isIP(name) > 0
    ? undefined
    : `the request is for the host ${name.slice(0, 80)}`
}
