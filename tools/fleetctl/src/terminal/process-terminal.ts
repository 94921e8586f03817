import { once } from 'node:events'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { Terminal } from './terminal.ts'

/** The terminal of this process. */
export function processTerminal(): Terminal {
  const { stdin, stdout, stderr } = process
  return {
    isInputTerminal: stdin.isTTY,
    isOutputTerminal: stdout.isTTY,
    isErrorTerminal: stderr.isTTY,
    write: async (output) => {
      if (!stdout.write(output)) await once(stdout, 'drain')
    },
    writeError: (output) => void stderr.write(output),
    readLine: async (question, { hidden, signal }) => {
      stderr.write(question)
      // As a terminal, readline itself echoes what is typed: to where nobody sees it. Otherwise the kernel echoes.
      const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
      const lines = createInterface({ input: stdin, output: silent, terminal: hidden && stdin.isTTY })
      // In raw mode Ctrl-C is a character and no signal.
      lines.on('SIGINT', () => process.kill(process.pid, 'SIGINT'))
      try {
        const answered = lines.question('', { signal })
        const ended = once(lines, 'close', { signal }).then(() => undefined)
        return await Promise.race([answered, ended])
      } finally {
        lines.close()
        if (hidden) stderr.write('\n')
      }
    },
    readInput: () => text(stdin),
  }
}
