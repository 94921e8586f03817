import type { AdminAnswer, AdminRequest, AdminRoute, Logger } from '@fleetroot/service'
import { problem } from './problem.ts'
import { page, sessionRoutes } from './session-routes.ts'
import type { SessionView } from './session-view.ts'

/** Hands a request to `sessionRoutes` of every process that has sessions; undefined: one does not answer. */
export type AskAll = (question: {
  readonly route: number
  readonly request: AdminRequest
}) => Promise<readonly (AdminAnswer | undefined)[]>

type Merge = (answers: readonly AdminAnswer[], request: AdminRequest) => AdminAnswer

const silent = problem(503, 'worker-silent', 'a worker does not answer, and may have such sessions')
const absent = problem(404, 'session-not-found', 'no such session is connected here')

/** The routes of `sessionRoutes` over several processes, with the same answers as from one. */
export function gatheredSessionRoutes(ask: AskAll, log: Logger): AdminRoute[] {
  const merges: Merge[] = [mergeLists, mergeFound, mergeDisconnected]
  return sessionRoutes(() => undefined, log).map(({ method, path }, route) => ({
    method,
    path,
    answer: async (request) => {
      const answers = (await ask({ route, request })).filter((answer) => answer?.status !== 404)
      const refused = answers.find((answer) => answer?.status !== undefined)
      if (refused !== undefined) return refused
      const complete = answers.filter((answer) => answer !== undefined)
      return complete.length < answers.length ? silent : merges[route]!(complete, request)
    },
  }))
}

function mergeLists(answers: readonly AdminAnswer[], { query }: AdminRequest): AdminAnswer {
  const pages = answers.map(({ body }) => body as { items: SessionView[]; next?: number })
  const { limit } = page.parse(query)
  const all = pages.flatMap(({ items }) => items).toSorted((a, b) => a.number - b.number)
  const items = all.slice(0, limit)
  const isMore = all.length > limit || pages.some(({ next }) => next !== undefined)
  return { body: { items, ...(isMore ? { next: items.at(-1)!.number } : {}) } }
}

function mergeFound(answers: readonly AdminAnswer[]): AdminAnswer {
  const items = answers.flatMap(({ body }) => (body as { items: SessionView[] }).items)
  return items.length === 0 ? absent : { body: { items } }
}

function mergeDisconnected(answers: readonly AdminAnswer[]): AdminAnswer {
  const counts = answers.map(({ body }) => (body as { disconnected: number }).disconnected)
  const disconnected = counts.reduce((sum, count) => sum + count, 0)
  return disconnected === 0 ? absent : { body: { disconnected } }
}
