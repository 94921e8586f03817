import { usageError } from '../error.ts'

/** Labels as `--label KEY=VALUE` gives them. */
export function labelsOf(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at < 1) throw usageError(`--label: ${JSON.stringify(text)} must be KEY=VALUE, such as site=north`)
    return [text.slice(0, at), text.slice(at + 1)]
  })
  return Object.fromEntries(pairs)
}
