import { randomBytes } from 'node:crypto'
import { type FileHandle, link, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'

import { DeviceClientError } from '../error.ts'
import { makePrivateDirectory } from './directory.ts'

/** Secrets are readable by their owner only, from the call that creates the file on. */
const FILE_MODE = 0o600
/** No write takes longer; a process id may have been given to a stranger since. */
const ABANDONED_AFTER_MS = 3_600_000
const temporaryName = /^\..+\.(?<pid>\d+)\.[0-9a-f]{16}\.tmp$/

/**
 * Reads a private record; undefined if there is none. Throws DeviceClientError `store-exposed` if another
 * user may read or write it, with `danger` as the reason why that matters, `store-failed` on any other trouble.
 */
export async function readRecord(
  path: string,
  danger = 'others may use the private key in it',
): Promise<string | undefined> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    // The mode of the file that was opened, not of whatever has the name by now.
    const { mode } = await file.stat()
    if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
      throw new DeviceClientError(
        'store-exposed',
        `${path} has mode ${(mode & 0o777).toString(8)}, so ${danger}: ` +
          'if nobody did, run chmod 600 on it; otherwise delete it and enroll again',
      )
    }
    return await file.readFile('utf8')
  } catch (error) {
    if (isCode(error, 'ENOENT')) return undefined
    throw failed(error, 'read', path)
  } finally {
    await file?.close()
  }
}

/**
 * Replaces a record as a whole: readers, also after a crash or a power cut, see the old text or the new one,
 * never a mixture. Of two processes that write at once the later rename wins. Makes the directory (0700).
 */
export async function replaceRecord(path: string, text: string): Promise<void> {
  await withTemporary(path, text, async (temporary) => rename(temporary, path))
}

/** Like `replaceRecord`, but only if there is no record yet; says whether this call made it. */
export async function createRecord(path: string, text: string): Promise<boolean> {
  return withTemporary(path, text, async (temporary) => {
    try {
      // link(2) refuses an existing name, which rename(2) would replace.
      await link(temporary, path)
      return true
    } catch (error) {
      if (isCode(error, 'EEXIST')) return false
      throw error
    }
  })
}

/** Removes a record; it is no error if there is none. */
export async function removeRecord(path: string): Promise<void> {
  try {
    await rm(path, { force: true })
  } catch (error) {
    throw failed(error, 'remove', path)
  }
}

/** Removes temporary files in `directory` whose writers died before they could. */
export async function sweepAbandoned(directory: string): Promise<void> {
  const names = await readdir(directory).catch((): string[] => [])
  for (const name of names) {
    const pid = Number(temporaryName.exec(name)?.groups?.['pid'])
    if (pid > 0 && (!isAlive(pid) || (await isOld(join(directory, name))))) {
      await removeRecord(join(directory, name))
    }
  }
}

async function withTemporary<T>(
  path: string,
  text: string,
  publish: (temporary: string) => Promise<T>,
): Promise<T> {
  const directory = dirname(path)
  const suffix = `${process.pid}.${randomBytes(8).toString('hex')}.tmp`
  const temporary = join(directory, `.${basename(path)}.${suffix}`)
  try {
    await makePrivateDirectory(directory)
    await writeThrough(temporary, text)
    const result = await publish(temporary)
    await syncDirectory(directory)
    return result
  } catch (error) {
    throw failed(error, 'write', path)
  } finally {
    // What stays behind is swept; it must not hide why the write failed.
    await rm(temporary, { force: true }).catch(() => undefined)
  }
}

async function writeThrough(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', FILE_MODE)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** A rename is on the disk only when its directory is. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there and belongs to somebody else.
    return !isCode(error, 'ESRCH')
  }
}

async function isOld(path: string): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  return info !== undefined && Date.now() - info.mtimeMs > ABANDONED_AFTER_MS
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code
}

function failed(error: unknown, verb: string, path: string): DeviceClientError {
  if (error instanceof DeviceClientError) return error
  const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
  return new DeviceClientError(
    'store-failed',
    `cannot ${verb} ${path} (${code}): the directory must exist on a disk with space left and belong to this user`,
    { cause: error },
  )
}
