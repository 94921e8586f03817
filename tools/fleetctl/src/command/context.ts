import type { Progress } from '../terminal/progress.ts'
import type { Server } from '../server/server.ts'

/** What a command works with. */
export interface Context {
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** Aborted by SIGINT. */
  readonly signal: AbortSignal
  readonly now: () => Date
  readonly isJson: boolean
  /** Standard output is a terminal. */
  readonly isTerminal: boolean
  /** The absolute path of something in the data directory. */
  readonly dataFile: (path: string) => string
  /** The enrollment server, opened once; with `anonymous` nobody is identified, for what everybody may read. */
  readonly server: (options?: { anonymous?: boolean }) => Promise<Server>
  /** Resolves when the user agrees, or said so with --yes; throws `not-confirmed` otherwise. */
  readonly confirm: (question: string) => Promise<void>
  /** Asks for a passphrase on the terminal, unseen; undefined where there is none. */
  readonly askSecret: (question: string) => Promise<string | undefined>
  readonly readStandardInput: () => Promise<string>
  /** A line for the human on stderr; nothing with --json. */
  readonly note: (line: string) => void
  readonly progress: (total: number, what: string) => Progress
  /** Writes to stdout at the pace of its reader; control characters are escaped. */
  readonly write: (text: string) => Promise<void>
}
