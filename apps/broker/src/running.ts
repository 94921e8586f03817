import type { Listening } from './listener/open-listeners.ts'

/** Where a broker is to be found that runs, of one process or of several. */
export interface Running {
  readonly listening: readonly Listening[]
  /** URL of the port for operators, where the configuration asks for one. */
  readonly administration: string | undefined
}
