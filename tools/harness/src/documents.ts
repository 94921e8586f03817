import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The shell commands that a document of this repository shows: its ```sh blocks, in order. */
export function shellBlocks(path: string): string[] {
  const text = readFileSync(join(import.meta.dirname, '../../..', path), 'utf8')
  return [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map((match) => match[1] ?? '')
}
