import type { Terminal } from '../terminal/terminal.ts'

/** A terminal that is remembered instead of shown. */
export interface RememberedTerminal extends Terminal {
  readonly stdout: () => string
  readonly stderr: () => string
}

/** Streams of a run: a human is behind all of them with `isTerminal`, who gives these answers, one after the other. */
export function rememberedTerminal({
  isTerminal = false,
  answers = [],
  input = '',
  onWrite = () => undefined,
}: {
  isTerminal?: boolean
  answers?: readonly string[]
  input?: string
  onWrite?: () => void
} = {}): RememberedTerminal {
  let stdout = ''
  let stderr = ''
  const left = [...answers]
  return {
    isInputTerminal: isTerminal,
    isOutputTerminal: isTerminal,
    isErrorTerminal: isTerminal,
    write: async (text) => {
      stdout += text
      onWrite()
    },
    writeError: (text) => {
      stderr += text
    },
    readLine: async (question) => {
      stderr += question
      return left.shift()
    },
    readInput: async () => input,
    stdout: () => stdout,
    stderr: () => stderr,
  }
}
