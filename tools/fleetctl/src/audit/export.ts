import { createWriteStream } from 'node:fs'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { finished } from 'node:stream/promises'
import type { Run } from '../command/command.ts'
import { headOf } from './head.ts'
import { readPages } from './records.ts'

export const exportAudit: Run = async (input, context) => {
  const [path = ''] = input.args
  const since = headOf(input, 'since') ?? { seq: 0, hash: '' }
  const server = await context.server()
  const sink = path === '-' ? undefined : await openFile(resolve(path))
  let records = 0
  let head = since
  for await (const { items } of readPages(server, since.seq)) {
    const text = items.map((item) => `${JSON.stringify(item)}\n`).join('')
    await (sink ? sink.write(text) : context.write(text))
    records += items.length
    const last = items.at(-1)
    if (last) head = { seq: last.record.seq, hash: last.hash }
  }
  if (!sink) return undefined
  await sink.close()
  return {
    kind: 'text',
    json: { file: resolve(path), records, head },
    text: `${records} records in ${path}, head ${head.seq}:${head.hash}`,
  }
}

/** A file that only its owner reads. An existing one is not replaced: an export is evidence. */
async function openFile(path: string) {
  const stream = createWriteStream(path, { flags: 'wx', mode: 0o600, flush: true })
  await once(stream, 'open')
  return {
    write: async (text: string): Promise<void> => {
      if (!stream.write(text)) await once(stream, 'drain')
    },
    close: async (): Promise<void> => {
      stream.end()
      await finished(stream)
    },
  }
}
