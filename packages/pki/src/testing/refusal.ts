import { PkiError, type PkiErrorCode } from '../error.ts'

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

/** For tests: as {@link refusalOf}, for what rejects. */
export async function rejectionOf(
  promise: Promise<unknown>,
): Promise<{ code: PkiErrorCode; message: string }> {
  try {
    await promise
  } catch (error) {
    if (error instanceof PkiError) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('nothing was refused')
}
