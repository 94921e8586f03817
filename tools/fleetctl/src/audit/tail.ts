import { setTimeout as delay } from 'node:timers/promises'
import type { AuditRecord } from '@fleetroot/service'
import type { Run } from '../command/command.ts'
import { countOf } from '../command/values.ts'
import { readPage } from './records.ts'

const lookEveryMs = 1_000

export const tailAudit: Run = async (input, context) => {
  const { signal, isJson, write } = context
  const lines = countOf(input, 'lines') ?? 10
  const server = await context.server()
  const { head } = await readPage(server, 0, 1)
  const show = isJson ? (record: AuditRecord) => JSON.stringify(record) : showRecord
  let last = Math.max(0, head.seq - lines)
  for (;;) {
    const { items } = await readPage(server, last)
    for (const item of items) {
      await write(`${show(item)}\n`)
      last = item.record.seq
    }
    if (items.length > 0 && last < head.seq) continue
    if (!input.on('follow')) return undefined
    await delay(lookEveryMs, undefined, { signal })
  }
}

/** `12  2030-01-01T00:00:00.000Z  revoked  deviceId=pump-7 …`: what every record has, then the rest. */
function showRecord({ record }: AuditRecord): string {
  const { seq, at, type, ...rest } = record
  const details = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}=${typeof value === 'string' ? quoted(value) : JSON.stringify(value)}`)
  return [String(seq), ...[at, type].map((text) => (typeof text === 'string' ? text : '?')), ...details]
    .map((text) => text.replaceAll('\n', '\\n'))
    .join('  ')
}

function quoted(text: string): string {
  return /^[\w.:@/+-]+$/.test(text) ? text : JSON.stringify(text)
}
