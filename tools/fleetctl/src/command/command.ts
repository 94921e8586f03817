import type { Answer } from '../output/answer.ts'
import type { Context } from './context.ts'
import type { Input } from './input.ts'
import type { OptionName } from './options.ts'

/** A word that a command takes. */
export interface Argument {
  readonly name: string
  readonly required: boolean
  /** Takes all words that follow. */
  readonly many?: boolean
  readonly choices?: readonly string[]
  readonly isPath?: boolean
}

/** What a command does. Nothing is answered where it has written by itself. */
export type Run = (input: Input, context: Context) => Promise<Answer | undefined>

/** One command: help, completion and parsing are made of this. */
export interface Command {
  /** `['device', 'add']` */
  readonly path: readonly string[]
  /** One line, lower case, no full stop. */
  readonly summary: string
  /** What must be known before it is used. */
  readonly details?: string
  readonly args?: readonly Argument[]
  readonly options?: readonly OptionName[]
  readonly examples?: readonly string[]
  /** Talks to the enrollment server. */
  readonly server?: boolean
  /** Loaded when it is run, so that help and completion do not wait for it. */
  readonly load: () => Promise<Run>
}

/** A group of commands. */
export interface Group {
  readonly path: readonly string[]
  readonly summary: string
}

/** The commands and groups that there are. */
export interface CommandTable {
  readonly commands: readonly Command[]
  readonly groups: readonly Group[]
}
