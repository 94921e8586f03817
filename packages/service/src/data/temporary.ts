import { randomBytes } from 'node:crypto'
import { readdir, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

/** A write takes less; a younger file may be that of a process in another container, whose id is unknown here. */
const writtenWithinMs = 10_000
/** Beyond it a process that has the id is another one. */
const abandonedAfterMs = 3_600_000
const pattern = /^\..+\.(?<pid>\d+)\.[0-9a-f]{8}\.tmp$/

/** The name beside `path` under which its next contents are written. It says whose it is. */
export function temporaryPath(path: string): string {
  const random = randomBytes(4).toString('hex')
  return join(dirname(path), `.${basename(path)}.${process.pid}.${random}.tmp`)
}

/**
 * Removes what atomic writes left in a directory and in the directories in it because their process was
 * killed: it may hold a private key. Files of writes that may be under way stay, those of other processes too.
 * Does what it can and never rejects: what belongs to somebody else is not ours to remove.
 */
export async function sweepTemporaries(directory: string): Promise<void> {
  await sweepOne(directory)
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => [])
  for (const entry of entries) if (entry.isDirectory()) await sweepOne(join(directory, entry.name))
}

async function sweepOne(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch((): string[] => [])) {
    const pid = Number(pattern.exec(name)?.groups?.['pid'] ?? Number.NaN)
    const path = join(directory, name)
    if (!Number.isNaN(pid) && (await isAbandoned(path, pid))) await rm(path).catch(() => undefined)
  }
}

async function isAbandoned(path: string, pid: number): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  if (info === undefined) return false
  const ageMs = Date.now() - info.mtimeMs
  if (ageMs > abandonedAfterMs) return true
  if (ageMs < writtenWithinMs) return false
  // Ours are those since this process began; what is older was left by a namesake.
  return pid === process.pid ? info.mtimeMs < performance.timeOrigin : !isAlive(pid)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
