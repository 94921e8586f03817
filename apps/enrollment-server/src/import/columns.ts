import { suggestion } from '@fleetroot/service'

/** The columns of a CSV file; `label.` and a name is one for each label. */
const known = ['id', 'profile', 'batch', 'dns', 'ip', 'idevid.manufacturer', 'idevid.serialNumber'] as const
const labelPrefix = 'label.'

/** What a row of CSV says of a device: what is empty is left out. */
export type RowOf = (fields: readonly string[]) => Record<string, unknown>

/** The meaning of the header of a CSV file, or what is wrong with it. */
export type Header =
  | { readonly ok: true; readonly columns: readonly string[]; readonly rowOf: RowOf }
  | { readonly ok: false; readonly detail: string }

/** Reads the first row of a CSV file: columns in any order, each at most once, `id` among them. */
export function readHeader(names: readonly string[]): Header {
  const refuse = (detail: string): Header => ({ ok: false, detail: `header: ${detail}` })
  const columns = names.map((name) => name.trim())
  for (const [index, column] of columns.entries()) {
    const quoted = JSON.stringify(column.slice(0, 80))
    // `__proto__` is no field like others in JavaScript; REST refuses it, too.
    const isLabel =
      column.startsWith(labelPrefix) && !['', '__proto__'].includes(column.slice(labelPrefix.length))
    if (!isLabel && !known.some((name) => name === column)) {
      if (columns.length === 1 && /[;\t]/.test(column))
        return refuse('the columns must be separated by commas')
      const all = `${known.join(', ')} and ${labelPrefix}NAME`
      return refuse(`${quoted} is no column; there are ${all}${suggestion(column, known)}`)
    }
    if (columns.indexOf(column) !== index) return refuse(`the column ${quoted} is there twice`)
  }
  if (!columns.includes('id')) return refuse('the column id is missing; the first row must name the columns')
  return { ok: true, columns, rowOf: (fields) => toRow(columns, fields) }
}

function toRow(columns: readonly string[], fields: readonly string[]): Record<string, unknown> {
  const row: Record<string, unknown> = {}
  const labels: Record<string, string> = {}
  const idevid: Record<string, string> = {}
  for (const [index, column] of columns.entries()) {
    const value = fields[index] ?? ''
    if (value === '') continue
    if (column.startsWith(labelPrefix)) labels[column.slice(labelPrefix.length)] = value
    else if (column.startsWith('idevid.')) idevid[column.slice('idevid.'.length)] = value
    else if (column === 'dns' || column === 'ip')
      row[column] = value.split(/[ ;]+/).filter((one) => one !== '')
    else row[column] = value
  }
  return {
    ...row,
    ...(Object.keys(labels).length > 0 && { labels }),
    ...(Object.keys(idevid).length > 0 && { idevid }),
  }
}
