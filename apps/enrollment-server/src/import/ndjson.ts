import { FileBroken, type FileRecord, longestRow, type RecordReader } from './record.ts'

/** Reads NDJSON: a JSON value a line; empty lines are passed over. Throws {@link FileBroken} for a line that does not end. */
export function ndjsonReader(): RecordReader<unknown> {
  let rest = ''
  let line = 0

  function read(text: string): FileRecord<unknown>[] {
    line += 1
    if (text.trim() === '') return []
    if (text.length > longestRow) return [{ line, problem: `is longer than ${longestRow} characters` }]
    try {
      return [{ line, value: JSON.parse(text, refuseProto) as unknown }]
    } catch {
      return [
        {
          line,
          problem: 'must be one JSON object, without a field __proto__; begin the next one on a new line',
        },
      ]
    }
  }

  return {
    push: (text) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      const records = lines.flatMap(read)
      if (rest.length > longestRow) {
        throw new FileBroken(
          `line ${line + 1}: is longer than ${longestRow} characters; write one JSON object a line`,
        )
      }
      return records
    },
    end: () => {
      const last = rest
      rest = ''
      return read(last)
    },
  }
}

/** A field of this name would be dropped in silence: an object in JavaScript has something else under it. */
function refuseProto(name: string, value: unknown): unknown {
  if (name === '__proto__') throw new SyntaxError('__proto__')
  return value
}
