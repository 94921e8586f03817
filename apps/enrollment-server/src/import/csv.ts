import { FileBroken, type FileRecord, longestRow, type RecordReader } from './record.ts'

type Place = 'start' | 'plain' | 'quoted' | 'after-quote' | 'skipping'

/**
 * Reads CSV (RFC 4180): fields between commas, with quotes around those that hold a comma, a quote (written twice) or the end of a
 * line. Lines end with CRLF, LF or CR; empty ones are passed over. A row with a stray quote is a problem of its own; throws
 * {@link FileBroken} for a quote that is not closed, as nobody knows where the next row begins.
 */
export function csvReader(): RecordReader<string[]> {
  let place: Place = 'start'
  let line = 1
  let firstLine = 1
  let fields: string[] = []
  let field = ''
  let length = 0
  let problem: string | undefined
  let wasReturn = false

  function endField(): void {
    fields.push(field)
    field = ''
  }

  function endRow(): FileRecord<string[]>[] {
    endField()
    const read = problem === undefined ? { line: firstLine, value: fields } : { line: firstLine, problem }
    const isEmpty = problem === undefined && fields.length === 1 && fields[0] === '' && place === 'start'
    fields = []
    length = 0
    problem = undefined
    place = 'start'
    return isEmpty ? [] : [read]
  }

  function refuse(why: string): void {
    problem = why
    place = 'skipping'
  }

  /** One character within a row. */
  function take(character: string): void {
    switch (place) {
      case 'quoted':
        if (character === '"') place = 'after-quote'
        else field += character
        break
      case 'after-quote':
        if (character === '"') {
          field += '"'
          place = 'quoted'
        } else if (character === ',') {
          endField()
          place = 'start'
        } else refuse('has text behind a closing quote; write a quote within a field twice')
        break
      case 'start':
      case 'plain':
        if (character === ',') {
          endField()
          place = 'start'
        } else if (character !== '"') {
          field += character
          place = 'plain'
        } else if (place === 'start') place = 'quoted'
        else refuse('has a quote within a field; put the field in quotes and write the quote twice')
        break
      case 'skipping':
        break
      default:
        place satisfies never
    }
  }

  function push(text: string): FileRecord<string[]>[] {
    const records: FileRecord<string[]>[] = []
    for (const character of text) {
      const isLf = character === '\n'
      if (isLf && wasReturn) {
        wasReturn = false
        continue
      }
      wasReturn = character === '\r' && place !== 'quoted'
      if ((isLf || character === '\r') && place !== 'quoted') {
        records.push(...endRow())
        line += 1
        firstLine = line
        continue
      }
      if (isLf) line += 1
      length += 1
      if (length > longestRow) {
        throw new FileBroken(
          `line ${firstLine}: the row that begins there is longer than ${longestRow} characters; is a quote not closed?`,
        )
      }
      take(character)
    }
    return records
  }

  return {
    push,
    end: () => {
      if (place === 'quoted') throw new FileBroken(`line ${firstLine}: a quote in this row is not closed`)
      return length === 0 ? [] : endRow()
    },
  }
}
