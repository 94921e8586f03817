import { describe, expect, test } from 'vitest'
import { type Census, createCensus } from '../accounting/census.ts'
import { judge } from './verdict.ts'

/** Two devices, each enrolled, connected, commanded and with one message settled. */
function goodRun(): Census {
  const census = createCensus(2)
  Object.assign(census, { enrolled: 1, reused: 1, connected: 2, online: 2 })
  Object.assign(census.commands, { sent: 2, answered: 2 })
  for (const device of ['a', 'b']) {
    census.ledger.published(device, 1, 0)
    census.ledger.acknowledged(device, 1)
    census.ledger.delivered(device, 1)
  }
  return census
}

describe('judge', () => {
  test('is content when every device enrolled, connected, published and nothing was lost', () => {
    expect(judge(goodRun(), 'duration')).toEqual({ ok: true })
  })

  test('does not mind duplicates', () => {
    const census = goodRun()
    census.ledger.delivered('a', 1)
    expect(judge(census, 'duration')).toEqual({ ok: true })
  })

  test('minds who is away and what is not acknowledged at the end, unless the run was interrupted', () => {
    const census = goodRun()
    census.ledger.published('a', 2, 0)
    census.online = 1
    expect(judge(census, 'signal')).toEqual({ ok: true })
    expect(judge(census, 'duration')).toEqual({
      ok: false,
      reasons: ['1 of 2 devices were not connected at the end', '1 of 3 messages were never acknowledged'],
    })
  })

  test.each<[string, (census: Census) => void, string]>([
    ['did not enroll', (census) => (census.enrolled = 0), '1 of 2 devices did not enroll'],
    [
      'did not connect',
      (census) => Object.assign(census, { connected: 1, online: 1, commands: { sent: 1, answered: 1 } }),
      '1 of 2 devices did not connect',
    ],
    [
      'left a command unanswered',
      (census) => (census.commands.answered = 1),
      '1 of 2 connected devices did not answer their command',
    ],
    [
      'lost its identity',
      (census) => (census.exhausted = 1),
      '1 of 2 devices have a certificate that expired and is not renewed',
    ],
    [
      'published under a foreign name',
      (census) => (census.unexpected = 3),
      '3 messages arrived that their device had not published',
    ],
  ])('refuses a run in which a device %s', (_, spoil, reason) => {
    const census = goodRun()
    spoil(census)
    expect(judge(census, 'duration')).toEqual({ ok: false, reasons: [reason] })
  })

  test('refuses a run in which a device published nothing that was acknowledged', () => {
    const census = createCensus(1)
    Object.assign(census, { enrolled: 1, connected: 1, online: 1 })
    Object.assign(census.commands, { sent: 1, answered: 1 })
    census.ledger.published('a', 1, 0)
    expect(judge(census, 'signal')).toEqual({
      ok: false,
      reasons: ['1 of 1 devices published nothing that was acknowledged'],
    })
  })

  test('refuses a run that lost an acknowledged message, and names it', () => {
    const census = goodRun()
    census.ledger.published('b', 2, 0)
    census.ledger.acknowledged('b', 2)
    expect(judge(census, 'duration')).toEqual({
      ok: false,
      reasons: ['1 of 3 acknowledged messages were lost, the first is number 2 of b'],
    })
  })
})
