import { PkiError, type PkiErrorCode } from './error.ts'

/** For tests: runs what must throw a PkiError and returns its code and message; any other outcome fails the test. */
export function refusalOf(run: () => unknown): { code: PkiErrorCode; message: string } {
  try {
    run()
  } catch (error) {
    if (error instanceof PkiError) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('nothing was refused')
}
