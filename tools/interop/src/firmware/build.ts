import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { succeed } from '../run.ts'

/** Where the C example is. */
export const firmwareSource = join(import.meta.dirname, '../../../../examples/firmware-c')

/** How the C example is built: as for a product, to stop at every memory error and leak, or to count its heap. */
export type FirmwareBuild = 'firmware' | 'firmware-checked' | 'firmware-measured'

/** Builds the C example into `folder`, with warnings as errors, and resolves to the path of the program. */
export async function buildFirmware(folder: string, build: FirmwareBuild): Promise<string> {
  mkdirSync(folder, { recursive: true })
  const program = join(folder, build)
  await succeed('make', ['-C', firmwareSource, `OUT=${folder}`, program])
  return program
}
