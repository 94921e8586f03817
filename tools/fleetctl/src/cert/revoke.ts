import { readFile } from 'node:fs/promises'
import type { SerialNumber } from '@fleetroot/pki'
import type { Run } from '../command/command.ts'
import type { Context } from '../command/context.ts'
import type { Input } from '../command/input.ts'
import { serialOf } from '../command/values.ts'
import { exitStatus, FleetctlError, usageError } from '../error.ts'
import type { Answer } from '../output/answer.ts'
import type { Server } from '../server/server.ts'
import type { CertificateRecord } from './certificate.ts'

/** What became of one certificate of a batch. */
interface Result {
  readonly serial: string
  readonly status: string
  readonly code?: string
}

/** The server takes 1000 at once; fewer show how far it is, and lose less to an interruption. */
const batchSize = 100

export const revokeCertificates: Run = async (input, context) => {
  const serials = await serialsOf(input, context)
  const reason = input.text('reason') ?? 'unspecified'
  const [first = ''] = serials
  const what = serials.length === 1 ? `the certificate ${first}` : `${serials.length} certificates`
  await context.confirm(`Revoke ${what} for good (${reason}).`)
  const server = await context.server()
  return serials.length === 1
    ? revokeOne(server, first, reason)
    : revokeMany(server, serials, reason, context)
}

async function revokeOne(server: Server, serial: string, reason: string): Promise<Answer> {
  const record = await server.call<CertificateRecord>(`cannot revoke ${serial}`, {
    method: 'POST',
    path: `/v1/certificates/${serial}/revoke`,
    body: { reason },
  })
  return resultsAnswer([{ serial: record.serial, status: record.status }])
}

async function revokeMany(
  server: Server,
  serials: readonly SerialNumber[],
  reason: string,
  { signal, progress }: Context,
): Promise<Answer> {
  const results: Result[] = []
  const shown = progress(serials.length, 'revoked')
  try {
    for (let at = 0; at < serials.length && !signal.aborted; at += batchSize) {
      const batch = serials.slice(at, at + batchSize)
      results.push(...(await revokeBatch(server, batch, reason)))
      shown.advance(batch.length)
    }
  } catch (error) {
    // What was done before it stays done, and must be told.
    if (results.length === 0) throw error
    const code = error instanceof FleetctlError ? (error.problem?.code ?? error.code) : 'failed'
    const left = serials.slice(results.length)
    results.push(
      ...left.map((serial) => ({ serial, status: signal.aborted ? 'not-tried' : 'unknown', code })),
    )
  } finally {
    shown.end()
  }
  const { length } = results
  const skipped = serials
    .slice(length)
    .map((serial) => ({ serial, status: 'not-tried', code: 'interrupted' }))
  return resultsAnswer([...results, ...skipped], signal.aborted ? exitStatus.interrupted : undefined)
}

async function revokeBatch(
  server: Server,
  serials: readonly SerialNumber[],
  reason: string,
): Promise<Result[]> {
  const answer = await server.call<{ results: readonly Result[] }>('cannot revoke', {
    method: 'POST',
    path: '/v1/certificates/revocations',
    body: { serials, reason },
  })
  return serials.map(
    (serial) => answer.results.find((result) => result.serial === serial) ?? { serial, status: 'unknown' },
  )
}

function resultsAnswer(results: readonly Result[], status?: typeof exitStatus.interrupted): Answer {
  // `unchanged`: it was revoked before.
  const failed = results.filter(({ status }) => status !== 'revoked' && status !== 'unchanged').length
  return {
    kind: 'table',
    json: { revoked: results.length - failed, failed, results },
    columns: ['serial', 'result', 'why not'],
    rows: results.map(({ serial, status, code }) => [serial, status, code ?? '-']),
    empty: 'nothing to revoke',
    status: status ?? (failed > 0 ? exitStatus.failed : exitStatus.done),
    ...(failed > 0 && { note: `${failed} of ${results.length} are not revoked` }),
  }
}

/** The serial numbers on the command line and in `--from`, each once, in their order. */
async function serialsOf(input: Input, context: Context): Promise<SerialNumber[]> {
  const from = input.text('from')
  const listed = from === undefined ? [] : await linesOf(from, context)
  const serials = [
    ...input.args.map((text) => serialOf(text)),
    ...listed.map(({ text, where }) => serialOf(text, where)),
  ]
  if (serials.length === 0 && from === undefined) {
    throw usageError('SERIAL is missing; usage: fleetctl cert revoke SERIAL... or --from FILE')
  }
  if (serials.length === 0) throw new FleetctlError('file-unusable', `${from}: no serial number in it`)
  return [...new Set(serials)]
}

/** Empty lines and what follows a # are passed over; of several columns the first counts. */
async function linesOf(
  from: string,
  { readStandardInput }: Context,
): Promise<{ text: string; where: string }[]> {
  const content = from === '-' ? await readStandardInput() : await readFile(from, 'utf8')
  return content.split('\n').flatMap((line, at) => {
    const [text = ''] = line.replace(/#.*/, '').trim().split(/\s+/)
    return text === '' ? [] : [{ text, where: `${from}:${at + 1}` }]
  })
}
