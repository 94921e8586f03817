import { describe, expect, test } from 'vitest'
import { missingPrograms, packagesFor, type Program } from './programs.ts'

/**
 * A group of tests that needs foreign programs. Where one is missing the group is skipped and says how to
 * install it; in CI (`CI` set) nothing may be skipped, so the group fails instead.
 */
export function judgedBy(wanted: readonly Program[], name: string, body: () => void): void {
  const missing = missingPrograms(wanted)
  if (missing.length === 0) {
    describe(name, body)
    return
  }
  const hint = `${missing.join(', ')} not found: apt-get install ${packagesFor(missing).join(' ')}`
  if (process.env['CI']) {
    test(name, () => expect.fail(hint))
    return
  }
  process.stderr.write(`interop: skipping "${name}": ${hint}\n`)
  describe.skipIf(true)(name, body)
}
