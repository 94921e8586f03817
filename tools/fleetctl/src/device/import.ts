import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import type { Run } from '../command/command.ts'
import type { Context } from '../command/context.ts'
import { exitStatus, FleetctlError } from '../error.ts'
import type { Answer } from '../output/answer.ts'
import type { Progress } from '../terminal/progress.ts'

/** What is wrong with a row, as the server says it and `--json` prints it. */
interface Refused {
  readonly row: number
  readonly line: number
  readonly id?: string
  readonly code: string
  readonly errors: readonly { readonly field?: string; readonly message: string }[]
}

interface Tally {
  readonly rows: number
  readonly added: number
  readonly unchanged: number
  readonly refused: number
}

/** The end of the report. */
interface End extends Tally {
  readonly type: 'done' | 'stopped'
  readonly notShown: number
  readonly code?: string
  readonly detail?: string
}

type Line = ({ readonly type: 'refused' } & Refused) | ({ readonly type: 'progress' } & Tally) | End

export const importFile: Run = async (input, context) => {
  const [file = ''] = input.args
  const isDry = input.on('dry-run')
  const what = `cannot import ${file}`
  const source = await open(file, context)
  const server = await context.server()
  const progress = context.progress(source.rows, isDry ? 'looked at' : 'imported')
  const report = createReport(progress)
  try {
    await server.upload(what, {
      path: `/v1/devices/import${isDry ? '?dryRun=true' : ''}`,
      type: source.type,
      body: source.body,
      onLine: report.take,
    })
  } finally {
    progress.end()
  }
  return answerOf(report.refused, report.end(file), isDry)
}

/** A file, or standard input, with how many rows it may have. What begins with a brace is NDJSON. */
async function open(
  file: string,
  context: Context,
): Promise<{ readonly body: Readable; readonly type: string; readonly rows: number }> {
  if (file === '-') {
    const text = await context.readStandardInput()
    return { body: Readable.from([Buffer.from(text)]), type: typeOf(text), rows: text.split('\n').length - 1 }
  }
  let rows = 0
  let start: string | undefined
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    start ??= chunk.toString('utf8', 0, 1024)
    for (const octet of chunk) if (octet === 0x0a) rows += 1
  }
  return { body: createReadStream(file), type: typeOf(start ?? ''), rows }
}

function typeOf(start: string): string {
  return start.trimStart().startsWith('{') ? 'application/x-ndjson' : 'text/csv'
}

function createReport(progress: Progress) {
  const refused: Refused[] = []
  let told = 0
  let last: End | undefined
  return {
    refused,
    take: (text: string): void => {
      const line = JSON.parse(text) as Line
      if (line.type === 'refused') {
        const { type: _, ...row } = line
        refused.push(row)
        return
      }
      progress.advance(line.rows - told)
      told = line.rows
      if (line.type !== 'progress') last = line
    },
    end: (file: string): End => {
      if (last) return last
      const message = `cannot import ${file}: the answer broke off after ${told} rows; the same command again goes on, as what was added is unchanged`
      throw new FleetctlError('server-answer-invalid', message)
    },
  }
}

function answerOf(refused: readonly Refused[], end: End, isDry: boolean): Answer {
  const { rows, added, unchanged, notShown } = end
  const isWhole = end.type === 'done'
  const counts = `${added} ${isDry ? 'would be added' : 'added'}, ${unchanged} unchanged, ${end.refused} refused`
  const hidden = notShown > 0 ? `; ${notShown} of them not shown` : ''
  const stop = isWhole
    ? ''
    : `; stopped after ${rows} rows: ${end.detail} (${end.code}); correct it and import again`
  return {
    kind: 'table',
    json: {
      dryRun: isDry,
      rows,
      added,
      unchanged,
      refused: end.refused,
      notShown,
      errors: refused,
      ...(!isWhole && { stopped: { code: end.code, detail: end.detail } }),
    },
    columns: ['line', 'id', 'code', 'what to change'],
    rows: refused.map(({ line, id, code, errors }) => [String(line), id ?? '-', code, explain(errors)]),
    empty: 'no row was refused',
    note: counts + hidden + stop,
    status: isWhole && end.refused === 0 ? exitStatus.done : exitStatus.failed,
  }
}

function explain(errors: Refused['errors']): string {
  return errors
    .map(({ field, message }) => (field === undefined ? message : `${field}: ${message}`))
    .join('; ')
}
