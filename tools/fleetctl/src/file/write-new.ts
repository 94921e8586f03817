import { open } from 'node:fs/promises'

/** Writes a file that must not be there yet, for its owner alone, and waits until it is on the disk. */
export async function writeNew(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.chmod(0o600)
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}
