import { describe, expect, test } from 'vitest'
import { FleetctlError } from '../error.ts'
import type { Request } from '../server/exchange.ts'
import { revokeAll } from './batch.ts'

// What the server did before it went away must be told. Which requests reach it is decided here; the rest is in
// cert/cert.test.ts, with a real server.

const names = Array.from({ length: 250 }, (_, n) => (n + 16).toString(16))
type Asked = { serials: string[] }

async function revoked(
  answerTo: (nth: number, asked: Asked) => unknown,
  signal = new AbortController().signal,
) {
  let nth = 0
  const server = {
    url: '',
    close: () => {},
    call: async <Body>(_what: string, { body }: Request): Promise<Body> =>
      answerTo(nth++, body as Asked) as Body,
  }
  const progress = () => ({ advance: () => {}, end: () => {} })
  const answer = await revokeAll(server, 'serial', names, {
    reason: 'unspecified',
    context: { signal, progress },
  })
  const { results, ...counts } = answer.json as { results: { status: string; code?: string }[] }
  return { answer, counts, statuses: [0, 99, 100, 199, 200, 249].map((at) => results[at]) }
}

const done = (_nth: number, { serials }: Asked): unknown => ({
  results: serials.map((serial) => ({ serial, status: 'revoked' })),
})

describe('a batch that is cut short', () => {
  test('by a server that goes away tells what is done, what is in doubt and what was not tried', async () => {
    const { answer, counts, statuses } = await revoked((nth, asked) => {
      if (nth === 1) throw new FleetctlError('server-unreachable', 'gone')
      return done(nth, asked)
    })
    expect(answer.status).toBe(1)
    expect(counts).toEqual({ revoked: 100, failed: 150 })
    expect(statuses.map((result) => [result?.status, result?.code])).toEqual([
      ['revoked', undefined],
      ['revoked', undefined],
      ['unknown', 'server-unreachable'],
      ['unknown', 'server-unreachable'],
      ['not-tried', undefined],
      ['not-tried', undefined],
    ])
  })

  test('by Ctrl-C ends after the batch that is under way, with 130', async () => {
    const interruption = new AbortController()
    const { answer, statuses } = await revoked((nth, asked) => {
      if (nth === 1) interruption.abort()
      return done(nth, asked)
    }, interruption.signal)
    expect(answer.status).toBe(130)
    expect(statuses.map((result) => result?.status)).toEqual([
      'revoked',
      'revoked',
      'revoked',
      'revoked',
      'not-tried',
      'not-tried',
    ])
  })

  test('before anything was done is an error like any other', async () => {
    const gone = new FleetctlError('server-unreachable', 'gone')
    await expect(
      revoked(() => {
        throw gone
      }),
    ).rejects.toBe(gone)
  })
})
