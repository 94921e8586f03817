import type { FastifyInstance, FastifyRequest } from 'fastify'
import { refuseWebPage } from './web-page.ts'

/** A request to an administrative route. */
export interface AdminRequest {
  /** What stands in the place of `:name` in the path. */
  readonly params: Readonly<Record<string, string>>
  readonly query: Readonly<Record<string, string>>
  /** The parsed JSON; undefined: there was none. */
  readonly body: unknown
  /** Who asks, for the log: `loopback`, or the id of an operator. */
  readonly caller: string
}

/** What it is answered with, as JSON; default status 200. */
export interface AdminAnswer {
  readonly status?: number
  readonly body?: unknown
}

/** An administrative route of an app. */
export interface AdminRoute {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for a part that varies. */
  readonly path: string
  readonly answer: (request: AdminRequest) => AdminAnswer | Promise<AdminAnswer>
}

/** Why somebody may not use the administrative routes. */
export interface CallerRefusal {
  readonly code: string
  readonly detail: string
}

/** Decides who asks, or why they may not: asked for each request, because a connection may outlive a right. */
export type AdmitCaller = (request: FastifyRequest) => { readonly caller: string } | CallerRefusal

/** Adds routes for whoever `admit` lets pass, and for no web page: one in a browser is never who it seems to be. */
export function addAdminRoutes(
  server: FastifyInstance,
  routes: readonly AdminRoute[],
  admit: AdmitCaller,
): void {
  for (const { method, path, answer } of routes) {
    server.route({
      method,
      url: path,
      onRequest: async (request, reply) => {
        const detail = refuseWebPage(request.headers)
        const verdict = detail === undefined ? admit(request) : { code: 'forbidden', detail }
        // The connection goes with the right to use it.
        if ('code' in verdict) return reply.code(403).header('connection', 'close').send(verdict)
        callers.set(request, verdict.caller)
        return undefined
      },
      handler: async (request, reply) => {
        const { status = 200, body } = await answer({
          params: request.params as Record<string, string>,
          query: request.query as Record<string, string>,
          body: request.body,
          caller: callers.get(request) ?? 'nobody',
        })
        return reply.code(status).send(body)
      },
    })
  }
}

const callers = new WeakMap<FastifyRequest, string>()
