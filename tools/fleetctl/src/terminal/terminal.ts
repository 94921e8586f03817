/** The three streams of the process and whether a human is behind them: all that fleetctl knows of its terminal. */
export interface Terminal {
  readonly isInputTerminal: boolean
  readonly isOutputTerminal: boolean
  readonly isErrorTerminal: boolean
  /** Resolves when the reader has room for more. */
  readonly write: (text: string) => Promise<void>
  readonly writeError: (text: string) => void
  /** The next line of standard input; undefined at its end. `hidden` does not show what is typed. */
  readonly readLine: (
    question: string,
    options: { hidden: boolean; signal: AbortSignal },
  ) => Promise<string | undefined>
  /** All of standard input. */
  readonly readInput: () => Promise<string>
}
