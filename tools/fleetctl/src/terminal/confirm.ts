import { FleetctlError } from '../error.ts'
import { printable } from '../output/printable.ts'
import type { Terminal } from './terminal.ts'

/**
 * Asks before something that cannot be taken back. Throws `not-confirmed` when the answer is not yes, and
 * without asking where nobody could answer: a script must say --yes.
 */
export async function confirm(
  terminal: Terminal,
  { question, yes, signal }: { question: string; yes: boolean; signal: AbortSignal },
): Promise<void> {
  if (yes) return
  if (!terminal.isInputTerminal || !terminal.isErrorTerminal) {
    throw new FleetctlError('not-confirmed', `${question} Not without --yes, because nobody is there to ask`)
  }
  const answer = await terminal.readLine(`${printable(question)} [y/N] `, { hidden: false, signal })
  if (/^\s*y(es)?\s*$/i.test(answer ?? '')) return
  throw new FleetctlError('not-confirmed', 'not confirmed, nothing was done')
}
