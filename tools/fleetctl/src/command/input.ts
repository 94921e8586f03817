import type { OptionName } from './options.ts'

/** The command line of a command, checked against its description. */
export interface Input {
  readonly args: readonly string[]
  /** Value of a flag; undefined where it was not given. */
  readonly text: (name: OptionName) => string | undefined
  readonly texts: (name: OptionName) => readonly string[]
  readonly on: (name: OptionName) => boolean
}
