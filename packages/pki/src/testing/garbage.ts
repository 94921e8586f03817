import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')

/** Frees what nobody holds any more, so that a test can measure what is held: what tests before it left is no growth, nor its end a gain. */
export const collectGarbage = runInNewContext('gc') as () => void
