import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The root of this checkout. */
export const root: string = join(import.meta.dirname, '../../..')

/** Every file that git tracks or would add, as paths from the root. */
export function files(ending = ''): string[] {
  const list = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
  })
  return [...new Set(list.split('\0'))].filter((path) => path !== '' && path.endsWith(ending))
}

/** The text of a tracked file, or undefined where it was deleted but not yet committed. */
export function read(path: string): string | undefined {
  try {
    return readFileSync(join(root, path), 'utf8')
  } catch {
    return undefined
  }
}
