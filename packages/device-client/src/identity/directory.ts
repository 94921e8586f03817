import { mkdir, stat } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * Makes a directory (0700) and its parents, if need be; what exists keeps its mode. Rejects with Node's error.
 */
export async function makePrivateDirectory(path: string): Promise<void> {
  try {
    await makeOne(path)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    // Not Node's `recursive`: it spins for ever where a directory exists and takes no children (/proc/x).
    await makePrivateDirectory(parent)
    await makeOne(path)
  }
}

async function makeOne(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    if (!exists || !(await stat(path)).isDirectory()) throw error
  }
}
