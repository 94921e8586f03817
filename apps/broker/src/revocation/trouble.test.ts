import { createLogger } from '@fleetroot/service'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { BrokerError } from '../error.ts'
import { Trouble } from './trouble.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function logging(): { trouble: Trouble; lines: [string, string][] } {
  const lines: [string, string][] = []
  const stream = {
    write: (line: string) => {
      const { level, msg } = JSON.parse(line) as { level: string; msg: string }
      lines.push([level, msg])
    },
  }
  return { trouble: new Trouble(createLogger({ name: 'broker', level: 'info', stream })), lines }
}

const unreachable = new BrokerError('revocation-unreachable', 'cannot fetch the lists')
const invalid = new BrokerError('revocation-list-invalid', 'the list is damaged')

test('that is over soon warns nobody', () => {
  const { trouble, lines } = logging()
  trouble.met('lists', unreachable)
  vi.advanceTimersByTime(9_000)
  trouble.met('lists', unreachable)
  trouble.over('lists', 'fetched again')
  vi.advanceTimersByTime(60_000)
  expect(lines).toEqual([
    ['info', 'revocation lists: no contact'],
    ['info', 'fetched again'],
  ])
})

test('that lasts is a warning, once, and so is its end', () => {
  const { trouble, lines } = logging()
  trouble.met('stream', unreachable)
  vi.advanceTimersByTime(11_000)
  trouble.met('stream', unreachable)
  trouble.met('stream', invalid)
  trouble.over('stream', 'connected')
  trouble.over('stream', 'connected')
  expect(lines).toEqual([
    ['info', 'revocation stream: no contact'],
    ['warn', 'revocation stream: no contact for 10 s'],
    ['warn', 'revocation stream: no contact'],
    ['warn', 'connected'],
  ])
})

test('that nobody follows any more is no news', () => {
  const { trouble, lines } = logging()
  trouble.met('authorities', unreachable)
  trouble.close()
  vi.advanceTimersByTime(60_000)
  expect(lines).toHaveLength(1)
})
