import { constants } from 'node:fs'
import { access, chmod, mkdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { ServiceError } from '../error.ts'
import { atomicWrite } from './atomic-write.ts'
import { withLock } from './lock.ts'
import { sweepTemporaries } from './temporary.ts'

/** An app's view of its data directory. Made by `openDataDirectory`. */
export interface DataDirectory {
  /** Absolute. */
  readonly path: string
  /** The absolute path of something inside: `file('broker', 'policy.yaml')`. Refuses to leave the directory. */
  readonly file: (...parts: string[]) => string
  /** Makes a directory inside (0700) and its parents, if need be, and resolves to its path. */
  readonly directory: (...parts: string[]) => Promise<string>
  /** `atomicWrite` to a path inside; its directory is made. 0600 unless `mode` says otherwise. */
  write(relativePath: string, data: string | Uint8Array, mode?: number): Promise<string>
  /** Runs `work` while holding the lock `name`, which other processes on this directory respect. */
  locked<T>(
    name: string,
    work: () => T | Promise<T>,
    options?: { waitMs?: number; signal?: AbortSignal },
  ): Promise<T>
}

/**
 * Opens the data directory, made with mode 0700 if it is missing. Throws ServiceError `data-directory`, naming
 * the path and the fix, when it cannot be made or written, or when everybody may write to it: whoever can
 * replace a file here can replace the trust anchor. Removes what killed processes left of their writes.
 *
 *     const data = await openDataDirectory(config.data)
 *     await data.locked('first-start', async () => createWhatIsMissing(data))
 */
export async function openDataDirectory(path: string): Promise<DataDirectory> {
  const root = resolve(path)
  try {
    await makeDirectory(root)
    const { mode } = await stat(root)
    if ((mode & 0o002) !== 0) {
      throw new ServiceError(
        'data-directory',
        `data directory ${root} is writable by everybody; run: chmod o-w ${root}`,
      )
    }
    await access(root, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch (error) {
    if (error instanceof ServiceError) throw error
    const fix = 'choose another with --data or FLEETROOT_DATA'
    throw new ServiceError('data-directory', `cannot use data directory ${root}: ${reason(error)}; ${fix}`, {
      cause: error,
    })
  }

  await sweepTemporaries(root)

  const file = (...parts: string[]): string => {
    const inside = join(root, ...parts)
    if (inside !== root && !inside.startsWith(`${root}/`)) {
      throw new ServiceError('data-directory', `${parts.join('/')} is outside of the data directory`)
    }
    return inside
  }
  return {
    path: root,
    file,
    directory: (...parts) => makeDirectory(file(...parts)),
    write: async (relativePath, data, mode) => {
      const target = file(relativePath)
      await makeDirectory(join(target, '..'))
      await atomicWrite(target, data, mode)
      return target
    },
    locked: (name, work, options) => withLock(file(`${name}.lock`), work, options),
  }
}

/**
 * Makes a directory and its parents, if need be, and resolves to its path. What is made gets exactly `mode`
 * (0700 by default, whatever the umask); what exists keeps its own.
 */
export async function makeDirectory(path: string, mode = 0o700): Promise<string> {
  try {
    await makeOne(path, mode)
  } catch (error) {
    const parent = dirname(path)
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || parent === path) throw error
    // Not Node's `recursive`: it spins for ever where a directory exists and takes no children (/proc/x).
    await makeDirectory(parent, mode)
    await makeOne(path, mode)
  }
  return path
}

async function makeOne(path: string, mode: number): Promise<void> {
  try {
    await mkdir(path, { mode })
    await chmod(path, mode)
  } catch (error) {
    const exists = (error as NodeJS.ErrnoException).code === 'EEXIST'
    if (!exists || !(await stat(path)).isDirectory()) throw error
  }
}

function reason(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  const known: Readonly<Record<string, string>> = {
    EACCES: 'permission denied',
    ENOENT: 'it cannot be made there',
    EPERM: 'operation not permitted',
    EEXIST: 'it is a file, not a directory',
    ENOTDIR: 'a part of the path is a file, not a directory',
    EROFS: 'the file system is read-only',
    ENOSPC: 'the disk is full',
  }
  return known[code ?? ''] ?? message
}
