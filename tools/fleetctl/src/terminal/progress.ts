import type { Terminal } from './terminal.ts'

/** Says how far a long batch is. */
export interface Progress {
  readonly advance: (count: number) => void
  readonly end: () => void
}

/** A batch that is shorter than this needs none. */
const least = 20

/**
 * Progress on stderr: a line that is written over on a terminal, one line at every tenth otherwise. Nothing for a
 * short batch, and nothing with `quiet`.
 */
export function startProgress(
  terminal: Pick<Terminal, 'isErrorTerminal' | 'writeError'>,
  { total, what, quiet }: { total: number; what: string; quiet: boolean },
): Progress {
  if (quiet || total < least) return { advance: () => {}, end: () => {} }
  let done = 0
  let told = 0
  const say = (): void => {
    const line = `${what}: ${done} of ${total}`
    terminal.writeError(terminal.isErrorTerminal ? `\r${line}` : `${line}\n`)
  }
  return {
    advance: (count) => {
      done += count
      const tenth = Math.floor((done * 10) / total)
      if (!terminal.isErrorTerminal && tenth === told) return
      told = tenth
      say()
    },
    end: () => {
      if (terminal.isErrorTerminal) terminal.writeError('\n')
    },
  }
}
