import { readFile } from 'node:fs/promises'
import { parsePolicy, type Policy, PolicyError } from '@fleetroot/policy'
import { FleetctlError } from '../error.ts'

/** Reads and compiles a policy file. Throws `file-unusable` with every mistake, each with its line. */
export async function readPolicy(path: string): Promise<Policy> {
  const text = await readFile(path, 'utf8')
  try {
    return parsePolicy(text, path)
  } catch (error) {
    if (!(error instanceof PolicyError)) throw error
    throw new FleetctlError('file-unusable', error.message, { cause: error })
  }
}
