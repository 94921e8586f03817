import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import {
  type AuditRecord,
  type AuditVerdict,
  type AuditVerification,
  startAuditVerification,
} from '@fleetroot/service'
import type { Run } from '../command/command.ts'
import type { Context } from '../command/context.ts'
import { exitStatus, FleetctlError } from '../error.ts'
import type { Answer } from '../output/answer.ts'
import { headOf } from './head.ts'
import { readPages } from './records.ts'

export const verifyAudit: Run = async (input, context) => {
  const [path] = input.args
  const [after, head] = [headOf(input, 'since'), headOf(input, 'head')]
  const verification = startAuditVerification({ ...(after && { after }), ...(head && { head }) })
  const from = after?.seq ?? 0
  const records =
    path === undefined
      ? await addFromServer(verification, from, context)
      : await addFromFile(verification, path)
  return verdictAnswer(verification.end(), path ?? 'the audit of the server', records)
}

async function addFromServer(
  verification: AuditVerification,
  from: number,
  context: Context,
): Promise<number> {
  const server = await context.server()
  let records = 0
  let progress: ReturnType<Context['progress']> | undefined
  for await (const { items, head } of readPages(server, from)) {
    progress ??= context.progress(head.seq - from, 'verified')
    for (const item of items) verification.add(item)
    records += items.length
    progress.advance(items.length)
  }
  progress?.end()
  return records
}

async function addFromFile(verification: AuditVerification, path: string): Promise<number> {
  let line = 0
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Infinity })) {
    line += 1
    if (text !== '') verification.add(parseRecord(text, `${path}:${line}`))
  }
  return line
}

function parseRecord(text: string, where: string): AuditRecord {
  try {
    const parsed = JSON.parse(text) as AuditRecord | null
    if (typeof parsed?.hash === 'string' && Number.isSafeInteger(parsed.record?.seq)) return parsed
  } catch {
    // Said below: whatever it is, it is no record.
  }
  throw new FleetctlError(
    'file-unusable',
    `${where}: is no audit record; a line must be as audit export writes it`,
  )
}

const problems = {
  changed: 'is not as it was written',
  'out-of-order': 'is missing, or another one stands in its place',
  rewritten: 'is another one than the head that you noted down: the chain was written anew',
  truncated: 'is missing: the chain ends before the head that you noted down',
} as const

function verdictAnswer(verdict: AuditVerdict, what: string, records: number): Answer {
  if (verdict.ok) {
    const { seq, hash } = verdict.head
    const text = `${what} is whole: ${records} records, head ${seq}:${hash}`
    return { kind: 'text', json: { ok: true, records, head: verdict.head }, text }
  }
  const { seq, problem } = verdict
  return {
    kind: 'text',
    json: { ok: false, records, seq, problem },
    text: `${what} is NOT whole: record ${seq} ${problems[problem]}`,
    status: exitStatus.failed,
  }
}
