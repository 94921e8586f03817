import { readFile } from 'node:fs/promises'
import { FleetctlError, usageError } from '../error.ts'
import type { Context } from './context.ts'
import type { Input } from './input.ts'

/**
 * The names on the command line and in `--from`, each once, in their order. `parse` refuses what is none, naming the
 * word or the line; nothing is done before all of them are good.
 */
export async function namesOf<Name extends string>(
  input: Input,
  context: Pick<Context, 'readStandardInput'>,
  { what, parse }: { what: string; parse: (text: string, where: string) => Name },
): Promise<Name[]> {
  const from = input.text('from')
  const listed = from === undefined ? [] : await linesOf(from, context)
  const names = [
    ...input.args.map((text) => parse(text, what)),
    ...listed.map(({ text, where }) => parse(text, where)),
  ]
  if (names.length > 0) return [...new Set(names)]
  if (from === undefined) throw usageError(`${what} is missing: give one or several, or --from FILE`)
  throw new FleetctlError('file-unusable', `${from}: nothing is in it`)
}

/** Empty lines and what follows a # are passed over; of several columns the first counts. */
async function linesOf(
  from: string,
  { readStandardInput }: Pick<Context, 'readStandardInput'>,
): Promise<{ text: string; where: string }[]> {
  const content = from === '-' ? await readStandardInput() : await readFile(from, 'utf8')
  return content.split('\n').flatMap((line, at) => {
    const [text = ''] = line.replace(/#.*/, '').trim().split(/\s+/)
    return text === '' ? [] : [{ text, where: `${from}:${at + 1}` }]
  })
}
