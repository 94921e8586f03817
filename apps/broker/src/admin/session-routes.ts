import type { AdminAnswer, AdminRequest, AdminRoute, Logger } from '@fleetroot/service'
import { z } from 'zod'
import type { Session } from '../engine/session.ts'
import { invalidRequest, problem } from './problem.ts'
import { type SessionView, viewSession } from './session-view.ts'

/** The query of a list. */
export const page = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  /** The `next` of the page before. */
  after: z.coerce.number().int().min(0).default(0),
  role: z.string().optional(),
  id: z.string().optional(),
})

const which = z.strictObject({ clientId: z.string().optional() })

/**
 * Sessions, live: list, inspect, disconnect.
 *
 *     GET    /v1/sessions?limit=&after=&role=&id=     { items, next? }
 *     GET    /v1/sessions/:role/:id?clientId=         { items }, with the filters of each
 *     DELETE /v1/sessions/:role/:id?clientId=         { disconnected }
 *
 * `numberOf`: by which a session is known and listed; left out: its own number. It grows as that does.
 */
export function sessionRoutes(
  sessions: () => ReadonlySet<Session> | undefined,
  log: Logger,
  numberOf: (session: Session) => number = ({ number }) => number,
): AdminRoute[] {
  return [
    {
      method: 'GET',
      path: '/v1/sessions',
      answer: (request) => list(sessions() ?? new Set(), request, numberOf),
    },
    {
      method: 'GET',
      path: '/v1/sessions/:role/:id',
      answer: (request) => {
        const found = find(sessions() ?? new Set(), request)
        if (!Array.isArray(found)) return found
        return { body: { items: found.map((session) => viewSession(session, numberOf(session), true)) } }
      },
    },
    {
      method: 'DELETE',
      path: '/v1/sessions/:role/:id',
      answer: (request) => {
        const found = find(sessions() ?? new Set(), request)
        if (!Array.isArray(found)) return found
        for (const session of found) session.end('operator')
        const { role, id } = request.params
        const { caller } = request
        log.warn({ role, deviceId: id, sessions: found.length, caller }, 'disconnected by an operator')
        return { body: { disconnected: found.length } }
      },
    },
  ]
}

function list(
  sessions: ReadonlySet<Session>,
  { query }: AdminRequest,
  numberOf: (session: Session) => number,
): AdminAnswer {
  const parsed = page.safeParse(query)
  if (!parsed.success) return invalidRequest(parsed.error)
  const { limit, after, role, id } = parsed.data
  const items: SessionView[] = []
  for (const session of sessions) {
    const { identity } = session
    const number = numberOf(session)
    if (number <= after || (role ?? identity.role) !== identity.role || (id ?? identity.id) !== identity.id) {
      continue
    }
    if (items.length === limit) return { body: { items, next: items.at(-1)!.number } }
    items.push(viewSession(session, number, false))
  }
  return { body: { items } }
}

function find(sessions: ReadonlySet<Session>, { params, query }: AdminRequest): Session[] | AdminAnswer {
  const parsed = which.safeParse(query)
  if (!parsed.success) return invalidRequest(parsed.error)
  const { role, id } = params
  const { clientId } = parsed.data
  const found = [...sessions].filter(
    ({ identity, key }) =>
      identity.role === role &&
      identity.id === id &&
      (clientId === undefined || key === `${role}/${id}/${clientId}`),
  )
  return found.length > 0 ? found : problem(404, 'session-not-found', 'no such session is connected here')
}
