import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { TlsConfigError } from '../error.ts'

/**
 * Reads a text file; `what` says in errors what the file is for.
 *
 * @throws TlsConfigError `file-missing` or `file-unreadable`
 */
export function readText(file: string, what: string): string {
  return read(file, what, () => {})
}

/**
 * Reads a file that only its owner may read. The check is made on the open file, so that it is about the
 * same file as the content. Windows has no such mode bits; there the directory's access list must do.
 *
 * @throws TlsConfigError `file-missing`, `file-unreadable` or `key-file-permissions`
 */
export function readPrivateText(file: string, what: string): string {
  return read(file, what, (mode) => {
    if (process.platform === 'win32' || (mode & 0o077) === 0) return
    const octal = (mode & 0o777).toString(8).padStart(4, '0')
    throw new TlsConfigError(
      'key-file-permissions',
      `${what} ${file}: others may read or write it (mode ${octal}); run: chmod 600 ${file}`,
    )
  })
}

function read(file: string, what: string, checkMode: (mode: number) => void): string {
  let descriptor: number | undefined
  try {
    descriptor = openSync(file, 'r')
    checkMode(fstatSync(descriptor).mode)
    return readFileSync(descriptor, 'utf8')
  } catch (error) {
    if (error instanceof TlsConfigError) throw error
    const code = (error as NodeJS.ErrnoException).code ?? 'unknown error'
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      throw new TlsConfigError('file-missing', `${what} ${file}: there is no such file`, { cause: error })
    }
    throw new TlsConfigError('file-unreadable', `${what} ${file}: cannot be read (${code})`, { cause: error })
  } finally {
    if (descriptor !== undefined) closeSync(descriptor)
  }
}
