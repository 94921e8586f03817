import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { succeed } from '../run.ts'

const root = join(import.meta.dirname, '../../../..')

/** Where the C example is. */
export const firmwareSource = join(root, 'examples/firmware-c')

/** How the C example is built: as for a product, or to stop at every memory error, leak and undefined behaviour. */
export type FirmwareBuild = 'firmware' | 'firmware-checked'

/**
 * Builds the C example, with warnings as errors, and resolves to the path of the program. One that was built of the same
 * sources by the same compiler is taken as it is: half a dozen files of tests use it.
 */
export async function buildFirmware(build: FirmwareBuild): Promise<string> {
  const hash = createHash('sha256').update((await succeed('cc', ['--version'])).text)
  for (const name of readdirSync(firmwareSource).toSorted()) {
    if (/\.[ch]$|^Makefile$/.test(name)) hash.update(readFileSync(join(firmwareSource, name)))
  }
  const folder = join(root, 'node_modules/.cache/firmware-c', hash.digest('hex').slice(0, 16))
  const program = join(folder, build)
  if (existsSync(program)) return program
  mkdirSync(folder, { recursive: true })
  const own = mkdtempSync(join(folder, 'build-'))
  await succeed('make', ['-C', firmwareSource, `OUT=${own}`, join(own, build)])
  // Whoever looks for it at the same moment finds all of it or nothing.
  renameSync(join(own, build), program)
  rmSync(own, { recursive: true })
  return program
}
