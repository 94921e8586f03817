import { open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { temporaryPath } from './temporary.ts'

/**
 * Replaces a file as a whole: after a crash at any moment it has the old contents or the new ones.
 * Written beside the target with exactly `mode` (0600 by default, whatever the umask), synced, renamed, and the
 * directory synced, so that it is on the disk when this resolves. The directory must exist.
 * What `kill -9` leaves beside it goes when the data directory is opened next.
 * Rejects with Node's error, which `runApp` explains; the target is then as it was.
 */
export async function atomicWrite(path: string, data: string | Uint8Array, mode = 0o600): Promise<void> {
  const temporary = temporaryPath(path)
  try {
    const file = await open(temporary, 'wx', mode)
    try {
      await file.chmod(mode)
      await file.writeFile(data)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  await syncDirectory(dirname(path))
}

/** Without it a rename may be forgotten by a power cut although the file's contents were kept. */
async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
