import type { ExitStatus } from '../error.ts'

/** What a command has to say, apart from how it is shown. */
export type Answer = {
  /** For `--json`. Its shape is stable: fields are added, never changed. */
  readonly json: unknown
  readonly status?: ExitStatus
  /** For the human, on stderr after the answer. */
  readonly note?: string
} & (
  | {
      readonly kind: 'table'
      readonly columns: readonly string[]
      readonly rows: readonly (readonly string[])[]
      /** Said on a terminal instead of a table without rows. */
      readonly empty: string
    }
  | {
      readonly kind: 'fields'
      readonly fields: readonly (readonly [label: string, value: string | undefined])[]
    }
  | { readonly kind: 'text'; readonly text: string }
)
