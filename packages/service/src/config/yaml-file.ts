import { readFileSync } from 'node:fs'
import { isMap, isNode, isScalar, isSeq, LineCounter, parseDocument } from 'yaml'
import type { Given } from './flags.ts'
import type { Settings } from './setting.ts'
import { suggestion } from './spelling.ts'

/** What a configuration file says, before any schema looked at it. */
export interface YamlFile {
  readonly values: ReadonlyMap<string, Given>
  readonly complaints: readonly string[]
}

/** Reads a YAML mapping of camelCase keys to values. Never throws: what is wrong becomes complaints with lines. */
export function readYamlFile(path: string, settings: Settings): YamlFile {
  const values = new Map<string, Given>()
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    return { values, complaints: [`--config: cannot read ${path}: ${reason(error)}`] }
  }
  const lineCounter = new LineCounter()
  const document = parseDocument(text, { lineCounter, prettyErrors: false })
  if (document.errors.length > 0) {
    const complaints = document.errors.map(
      ({ message, pos }) => `${path} line ${lineCounter.linePos(pos[0]).line}: ${message}`,
    )
    return { values, complaints }
  }
  if (document.contents === null) return { values, complaints: [] }
  if (!isMap(document.contents)) return { values, complaints: [`${path} must be a mapping of settings`] }
  const complaints: string[] = []
  for (const { key, value } of document.contents.items) {
    const name = String(isScalar(key) ? key.value : key)
    const offset = isScalar(key) ? (key.range?.[0] ?? 0) : 0
    const sourceAt = (at: number): string => `${path} line ${lineCounter.linePos(at).line}`
    const source = sourceAt(offset)
    if (!Object.hasOwn(settings, name)) {
      complaints.push(`${source}: ${name} is not a setting${suggestion(name, Object.keys(settings))}`)
      continue
    }
    let plain: unknown
    try {
      plain = isScalar(value)
        ? value.value
        : ((value as { toJS?(d: unknown): unknown } | null)?.toJS?.(document) ?? null)
    } catch {
      // An alias that nothing defines, or too many. Its text may be a secret that nobody quoted: it is not repeated.
      complaints.push(
        `${source}: ${name} uses an alias (*) that cannot be followed; quote a text that begins with *`,
      )
      continue
    }
    // `port:` with nothing after it means the default, as an empty variable does.
    if (plain !== null) {
      const sourceOf = (place: readonly PropertyKey[]): string => sourceAt(offsetOf(value, place) ?? offset)
      values.set(name, { value: plain, source, isText: false, sourceOf })
    }
  }
  return { values, complaints }
}

/** Where in the text a part of a value begins; undefined: as far as can be told, at the value itself. */
function offsetOf(value: unknown, place: readonly PropertyKey[]): number | undefined {
  let node = value
  let offset: number | undefined
  for (const part of place) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => String(isScalar(key) ? key.value : key) === String(part))
      if (isNode(pair?.key)) offset = pair.key.range?.[0] ?? offset
      node = pair?.value
    } else if (isSeq(node)) {
      node = node.items[Number(part)]
      if (isNode(node)) offset = node.range?.[0] ?? offset
    }
  }
  return offset
}

function reason(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code
  if (code === 'ENOENT') return 'there is no such file'
  if (code === 'EACCES') return 'permission denied'
  if (code === 'EISDIR') return 'it is a directory'
  return (error as Error).message
}
