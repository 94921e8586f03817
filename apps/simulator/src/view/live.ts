import type { Snapshot } from '../accounting/census.ts'
import type { View } from './view.ts'
import { count, elapsed, figure, latency, line, percentileWords } from './words.ts'

/** What the live view needs of a terminal. */
export interface Terminal {
  readonly columns?: number
  write(text: string): unknown
}

const hideCursor = '\u001B[?25l'
const showCursor = '\u001B[?25h'
const eraseBelow = '\u001B[J'

/** A few lines at the bottom of a terminal that are drawn again and again; what happened scrolls above them. */
export function liveView(terminal: Terminal): View {
  let drawn: string[] = []

  const up = (): string => (drawn.length === 0 ? '' : `\u001B[${drawn.length}A\r`)
  const draw = (above: readonly string[], area: string[]): void => {
    const text = [...above, ...area].map((content) => `${content}\n`).join('')
    terminal.write(`${up()}${eraseBelow}${text}`)
    drawn = area
  }
  terminal.write(hideCursor)

  return {
    everyMs: 200,
    say: (label, text) => draw([line(label, text)], drawn),
    print: (lines) => draw(lines, drawn),
    show: (state) => draw([], liveLines(state, terminal.columns ?? 80)),
    close() {
      draw([], [])
      terminal.write(showCursor)
    },
  }
}

/** The moving lines for one moment, none longer than the terminal is wide: a wrapped line cannot be erased. */
export function liveLines(state: Snapshot, columns: number): string[] {
  const { messages } = state
  const identities = state.enrolled + state.reused
  const lines = [
    line(
      'enroll',
      `${bar(identities / state.devices)} ${ratio(identities, state.devices)}  ${percentileWords(state.enrollMs)}`,
    ),
    line(
      'connect',
      `${bar(state.connected / state.devices)} ${ratio(state.connected, state.devices)}  ${percentileWords(state.connectMs)}${renewedWords(state)}`,
    ),
    line(
      'publish',
      `${timeBar(state)}  ${count(messages.acknowledged, 'message')} acknowledged, ${figure(messages.delivered)} delivered, ${figure(state.inFlight)} in flight`,
    ),
    line(
      'deliver',
      state.deliveryMs.count === 0
        ? ''
        : `${percentileWords(state.deliveryMs)}  max ${latency(state.deliveryMs.max)}`,
    ),
    line('errors', state.errors === 0 ? 'none' : `${figure(state.errors)}: ${state.lastError ?? ''}`),
  ]
  return lines.map((text) => text.trimEnd().slice(0, Math.max(0, columns - 1)))
}

function renewedWords({ renewed }: Snapshot): string {
  return renewed === 0 ? '' : `  ${count(renewed, 'certificate')} renewed`
}

const barCells = 24

function bar(share: number): string {
  const filled = Math.floor(Math.min(1, Math.max(0, share)) * barCells)
  return '█'.repeat(filled) + '░'.repeat(barCells - filled)
}

function ratio(done: number, all: number): string {
  return `${figure(done).padStart(figure(all).length)}/${figure(all)}`
}

function timeBar(state: Snapshot): string {
  if (state.durationMs === undefined) return `${elapsed(state.publishingMs)}, Ctrl-C ends it`
  return `${bar(state.publishingMs / state.durationMs)} ${elapsed(state.publishingMs)} of ${elapsed(state.durationMs)}`
}
