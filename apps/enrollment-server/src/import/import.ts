import { createHash } from 'node:crypto'
import { canonicalJson } from '@fleetroot/service'
import type { Profile } from '@fleetroot/pki'
import { refusalOf } from '../problem/from-error.ts'
import { type Refusal, RequestRefused } from '../problem/refusal.ts'
import type { Actor } from '../registry/records.ts'
import type { NewDevice, Registry } from '../registry/registry.ts'
import { csvReader } from './csv.ts'
import { readHeader, type RowOf } from './columns.ts'
import { ndjsonReader } from './ndjson.ts'
import { FileBroken, type FileRecord, type RecordReader } from './record.ts'
import { render, Report } from './report.ts'
import { rowJudge } from './row.ts'

/** What a file is written in. */
export type ImportFormat = 'csv' | 'ndjson'

/** Rows in one transaction: others wait for it, some ten milliseconds. */
const groupSize = 200
/** How often the answer says how far it is. */
const progressEveryMs = 250
/** Devices of a file that a dry run remembers, to find those that are in it twice. */
const mostRemembered = 200_000

type Wanted = Omit<NewDevice, 'createdAtMs' | 'by'>

/**
 * Reads a file of devices and adds them, group by group; yields the answer, line by line. What one group did stays when a later one
 * fails: the same file again goes on, as what is there already is unchanged. Memory does not grow with the file.
 * @throws {RequestRefused} before the first line, when the file cannot be one of devices
 */
export async function* importDevices(
  file: AsyncIterable<Uint8Array>,
  options: {
    readonly format: ImportFormat
    readonly isDry: boolean
    readonly profiles: ReadonlyMap<string, Profile>
    readonly registry: Pick<Registry, 'importDevices'>
    readonly by: Actor
    readonly now: () => Date
  },
): AsyncGenerator<string> {
  const { format, isDry, registry, by, now } = options
  const judge = rowJudge(options.profiles)
  const report = new Report()
  const remembered = new Map<string, string>()
  let toldAtMs = performance.now()
  let group: { readonly device: Wanted; readonly row: number; readonly line: number }[] = []

  /** Another row of this file has the id: in a dry run only the file knows. */
  function isRepeated(device: Wanted): 'unchanged' | 'differs' | undefined {
    if (!isDry) return undefined
    const digest = createHash('sha256')
      .update(canonicalJson({ ...device }))
      .digest('base64url')
    const before = remembered.get(device.id)
    if (before === undefined && remembered.size < mostRemembered) remembered.set(device.id, digest)
    if (before === undefined) return undefined
    return before === digest ? 'unchanged' : 'differs'
  }

  function taken(id: string, row: number, line: number, fields: readonly string[]): string {
    const errors = fields.map((field) => ({ field, message: 'is not what the inventory has for this id' }))
    return report.refuse({ row, line, id, code: 'device-exists', errors })
  }

  function progress(): string {
    if (performance.now() < toldAtMs + progressEveryMs) return ''
    toldAtMs = performance.now()
    return render({ type: 'progress', ...report.tally })
  }

  async function commit(): Promise<string> {
    const rows = group
    group = []
    if (rows.length === 0) return ''
    const devices = rows.map(({ device }) => device)
    const outcomes = await registry.importDevices({ devices, atMs: now().getTime(), by, isDry })
    let lines = ''
    for (const [index, outcome] of outcomes.entries()) {
      const { device, row, line } = rows[index]!
      if (typeof outcome === 'string') report.count(outcome)
      else lines += taken(device.id, row, line, outcome)
    }
    return lines + progress()
  }

  async function* take(records: readonly FileRecord<unknown>[]): AsyncGenerator<string> {
    for (const record of records) {
      const row = report.next()
      const { line } = record
      if ('problem' in record) {
        yield report.refuse({ row, line, code: 'body-malformed', errors: [{ message: record.problem }] })
        continue
      }
      const judged = judge(record.value)
      if (!judged.ok) {
        const { ok: _, ...why } = judged
        yield report.refuse({ row, line, ...why })
        continue
      }
      const repeated = isRepeated(judged.device)
      if (repeated === 'unchanged') report.count('unchanged')
      else if (repeated === 'differs') {
        const message = 'is in another row of this file, with other values'
        const errors = [{ field: 'id', message }]
        yield report.refuse({ row, line, id: judged.device.id, code: 'device-exists', errors })
      } else {
        group.push({ device: judged.device, row, line })
        if (group.length >= groupSize) yield await commit()
      }
    }
  }

  try {
    for await (const records of recordsOf(file, format)) yield* take(records)
    yield await commit()
    yield render({ type: 'done', dryRun: isDry, notShown: report.notShown, ...report.tally })
  } catch (error) {
    const refusal = stopReason(error)
    if (refusal === undefined) throw error
    if (report.tally.rows === 0) throw new RequestRefused(refusal, { cause: error })
    // What was read before is as good as if the file had ended there.
    const isOurs = !(error instanceof FileBroken)
    if (!isOurs) yield await commit()
    yield render({ type: 'stopped', ...codeAndDetail(refusal), notShown: report.notShown, ...report.tally })
  }
}

function codeAndDetail({ code, detail }: Refusal): Pick<Refusal, 'code' | 'detail'> {
  return { code, detail }
}

/** Undefined: nobody foresaw it. */
function stopReason(error: unknown): Refusal | undefined {
  if (error instanceof FileBroken) return { code: 'body-malformed', detail: `body: ${error.message}` }
  const refusal = refusalOf(error)
  return refusal.code === 'internal' ? undefined : refusal
}

/** The rows of a file, as many at a time as arrive together; rows of CSV as the objects that NDJSON would have. */
async function* recordsOf(
  file: AsyncIterable<Uint8Array>,
  format: ImportFormat,
): AsyncGenerator<FileRecord<unknown>[]> {
  const reader = format === 'csv' ? headedCsv() : ndjsonReader()
  // Takes a byte order mark off.
  const decoder = new TextDecoder('utf-8', { fatal: true })
  const decode = (chunk?: Uint8Array): string => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined })
    } catch (error) {
      throw new FileBroken('is not UTF-8; save the file as “CSV UTF-8”', { cause: error })
    }
  }
  for await (const chunk of file) yield reader.push(decode(chunk))
  yield [...reader.push(decode()), ...reader.end()]
}

function headedCsv(): RecordReader<unknown> {
  const reader = csvReader()
  let header: { readonly width: number; readonly rowOf: RowOf } | undefined

  function read(record: FileRecord<string[]>): FileRecord<unknown>[] {
    if ('problem' in record) {
      if (header === undefined) throw new FileBroken(`line ${record.line}: the header ${record.problem}`)
      return [record]
    }
    const { line, value } = record
    if (header === undefined) {
      const read = readHeader(value)
      if (!read.ok) throw new RequestRefused({ code: 'field-invalid', detail: `body: ${read.detail}` })
      header = { width: read.columns.length, rowOf: read.rowOf }
      return []
    }
    const { width, rowOf } = header
    if (value.length === width) return [{ line, value: rowOf(value) }]
    return [{ line, problem: `has ${value.length} fields, the header ${width}` }]
  }

  return {
    push: (text) => reader.push(text).flatMap(read),
    end: () => {
      const records = reader.end().flatMap(read)
      if (header === undefined) throw new FileBroken('the file is empty; its first row must name the columns')
      return records
    },
  }
}
