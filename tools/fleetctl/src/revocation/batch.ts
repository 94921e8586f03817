import type { Context } from '../command/context.ts'
import { exitStatus, FleetctlError } from '../error.ts'
import type { Answer } from '../output/answer.ts'
import type { Server } from '../server/server.ts'

/** What a batch is of: the certificates with these serial numbers, or all those of these devices. */
export type RevocationKind = 'serial' | 'deviceId'

/** What became of one of a batch, as `--json` prints it: its `serial` or `deviceId`, and this. */
interface Outcome {
  /** `unchanged`: it was revoked before. `unknown`: no answer came. `not-tried`: it was not sent. */
  readonly status: 'revoked' | 'unchanged' | 'refused' | 'unknown' | 'not-tried'
  readonly code?: string
}

type Result = Outcome & { readonly [Kind in RevocationKind]?: string }

/** The server takes 1000 at once; fewer show how far it is, and leave less in doubt when the line goes down. */
const batchSize = 100

/**
 * Revokes many, batch by batch, each in one transaction of the server. What was done stays done: an interruption or a server
 * that goes away in the middle ends with an answer for each, not with an error.
 */
export async function revokeAll(
  server: Pick<Server, 'call'>,
  kind: RevocationKind,
  names: readonly string[],
  { reason, context }: { reason: string; context: Pick<Context, 'progress' | 'signal'> },
): Promise<Answer> {
  const outcomes = new Map<string, Outcome>()
  const progress = context.progress(names.length, 'revoked')
  let failure: unknown
  for (let at = 0; at < names.length && failure === undefined && !context.signal.aborted; at += batchSize) {
    const batch = names.slice(at, at + batchSize)
    try {
      const results = await send(server, kind, batch, reason)
      for (const { [kind]: name = '', status, code } of results) {
        outcomes.set(name, { status, ...(code !== undefined && { code }) })
      }
      progress.advance(batch.length)
    } catch (error) {
      if (outcomes.size === 0) throw error
      failure = error
      for (const name of batch) outcomes.set(name, { status: 'unknown', code: codeOf(error) })
    }
  }
  progress.end()
  const left: Outcome = { status: 'not-tried' }
  const interrupted = context.signal.aborted
  return resultsAnswer(
    kind,
    names.map((name) => [name, outcomes.get(name) ?? left]),
    interrupted ? exitStatus.interrupted : undefined,
  )
}

async function send(
  server: Pick<Server, 'call'>,
  kind: RevocationKind,
  names: readonly string[],
  reason: string,
) {
  const body = kind === 'serial' ? { serials: names, reason } : { deviceIds: names, reason }
  const path = '/v1/certificates/revocations'
  const { results } = await server.call<{ results: readonly Result[] }>('cannot revoke', {
    method: 'POST',
    path,
    body,
  })
  return results
}

function codeOf(error: unknown): string {
  return error instanceof FleetctlError ? (error.problem?.code ?? error.code) : 'failed'
}

/** What became of each. */
export function resultsAnswer(
  kind: RevocationKind,
  results: readonly (readonly [name: string, outcome: Outcome])[],
  status?: typeof exitStatus.interrupted,
): Answer {
  const failed = results.filter(([, { status }]) => status !== 'revoked' && status !== 'unchanged').length
  return {
    kind: 'table',
    json: {
      revoked: results.length - failed,
      failed,
      results: results.map(([name, outcome]) => ({ [kind]: name, ...outcome })),
    },
    columns: [kind === 'serial' ? 'serial' : 'device', 'result', 'why not'],
    rows: results.map(([name, { status, code }]) => [name, status, code ?? '-']),
    empty: 'nothing to revoke',
    status: status ?? (failed > 0 ? exitStatus.failed : exitStatus.done),
    ...(failed > 0 && { note: `${failed} of ${results.length} are not revoked` }),
  }
}
