import { type AdminAnswer, type AdminRequest, createLogger } from '@fleetroot/service'
import { describe, expect, test } from 'vitest'
import { gatheredSessionRoutes } from './gathered-sessions.ts'

const request = (query: Record<string, string> = {}): AdminRequest => ({
  params: { role: 'device', id: 'pump' },
  query,
  body: undefined,
  caller: 'loopback',
})
const [list, find, disconnect] = [0, 1, 2]

/** What comes of a request when the workers answer this. */
async function gathered(
  route: number | undefined,
  answers: (AdminAnswer | undefined)[],
  query?: Record<string, string>,
): Promise<AdminAnswer> {
  const routes = gatheredSessionRoutes(
    async (question) => {
      expect(question.route).toBe(route)
      return answers
    },
    createLogger({ name: 'test', level: 'silent' }),
  )
  return routes[route!]!.answer(request(query))
}

const page = (numbers: number[], next?: number): AdminAnswer => ({
  body: { items: numbers.map((number) => ({ number })), ...(next === undefined ? {} : { next }) },
})
const absent: AdminAnswer = { status: 404, body: { code: 'session-not-found' } }

describe('the sessions of several workers', () => {
  test('are one list, in order, in pages that leave nothing out', async () => {
    expect(await gathered(list, [page([1, 4, 7]), page([2, 3])])).toEqual(page([1, 2, 3, 4, 7]))
    expect(await gathered(list, [page([1, 4], 4), page([2, 3], 3)], { limit: '2' })).toEqual(page([1, 2], 2))
    expect(await gathered(list, [page([1, 4], 4), page([9])], { limit: '2' })).toEqual(page([1, 4], 4))
    expect(await gathered(list, [page([5]), page([])], { limit: '1' })).toEqual(page([5]))
    expect(await gathered(list, [])).toEqual(page([]))
  })

  test('are found and disconnected wherever they are', async () => {
    expect(await gathered(find, [absent, page([3])])).toEqual(page([3]))
    expect(
      await gathered(disconnect, [{ body: { disconnected: 1 } }, { body: { disconnected: 2 } }]),
    ).toEqual({
      body: { disconnected: 3 },
    })
    expect(await gathered(find, [absent, absent])).toMatchObject({ status: 404 })
    expect(await gathered(disconnect, [absent])).toMatchObject({ status: 404 })
  })

  test('are not said to be complete when a worker does not answer', async () => {
    for (const route of [list, find, disconnect]) {
      expect(await gathered(route, [page([1]), undefined])).toMatchObject({
        status: 503,
        body: { code: 'worker-silent' },
      })
    }
  })

  test('are asked for as a worker understands it, or refused as it refuses', async () => {
    const refusal = { status: 400, body: { code: 'invalid-request' } }
    expect(await gathered(list, [refusal, refusal], { limit: '0' })).toEqual(refusal)
  })
})
