import { parseDeviceId } from '@fleetroot/pki'
import { describe, expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { createCommander } from './commander.ts'

const id = parseDeviceId('device-0001')
const other = parseDeviceId('device-0002')
const bytes = (text: string) => new TextEncoder().encode(text)

function setUp() {
  const census = createCensus(1)
  const published: { topic: string; question: string }[] = []
  const commander = createCommander({
    census,
    publish: async (topic, payload) => {
      published.push({ topic, question: JSON.parse(payload).id })
    },
  })
  const answer = (changes: Record<string, unknown> = {}, result: Record<string, string> = {}, from = id) =>
    commander.answer(
      from,
      'identify',
      bytes(
        JSON.stringify({
          id: published[0]?.question,
          ok: true,
          result: { device: id, serial: '0a', station: 'climate', ...result },
          ...changes,
        }),
      ),
    )
  return { census, published, commander, answer }
}

describe('createCommander', () => {
  test('asks once and counts the right answer once', async () => {
    const { census, published, commander, answer } = setUp()
    commander.ask({ id, serial: '0a' })
    expect(published).toEqual([
      { topic: 'devices/device-0001/commands/identify', question: expect.any(String) },
    ])
    expect(commander.unanswered).toBe(1)
    answer()
    answer()
    commander.ask({ id, serial: '0a' })
    expect(published).toHaveLength(1)
    expect(commander.unanswered).toBe(0)
    expect(census.commands).toEqual({ sent: 1, answered: 1 })
    await commander.allAnswered
  })

  test('repeats the same question until it is answered, and counts it once', () => {
    const { census, published, commander, answer } = setUp()
    commander.ask({ id, serial: '0a' })
    commander.ask({ id, serial: '0a' })
    commander.repeat()
    expect(published).toHaveLength(3)
    expect(new Set(published.map(({ question }) => question)).size).toBe(1)
    expect(census.commands.sent).toBe(1)
    answer()
    commander.repeat()
    expect(published).toHaveLength(3)
  })

  test('reports a device that names another id, another certificate or an error', () => {
    const { census, commander, answer } = setUp()
    commander.ask({ id, serial: '0a' })
    answer({}, { device: 'device-0002' })
    answer({}, { serial: '0b' })
    answer({ ok: false, error: 'no such command' })
    expect(commander.unanswered).toBe(1)
    expect(census.commands.answered).toBe(0)
    expect(census.failures.byCode()).toMatchObject([{ code: 'answer-wrong', count: 3 }])
  })

  test('accepts the certificate that a device is being renewed to as well', () => {
    const { census, commander, answer } = setUp()
    commander.expect({ id, serial: '0b' })
    commander.ask({ id, serial: '0a' })
    answer({}, { serial: '0b' })
    expect(commander.unanswered).toBe(1)
    commander.expect({ id, serial: '0b' })
    answer({}, { serial: '0b' })
    expect(census.commands.answered).toBe(1)
  })

  test('ignores answers to the questions of others, of devices that were not asked, and to other commands', () => {
    const { census, commander, answer } = setUp()
    commander.ask({ id, serial: '0a' })
    answer({ id: 'a question of somebody else' })
    answer({}, {}, other)
    commander.answer(id, 'reboot', bytes('{}'))
    commander.answer(id, 'identify', bytes('{'))
    expect(commander.unanswered).toBe(1)
    expect(census.failures.total).toBe(0)
  })

  test('reports a command that could not be sent', async () => {
    const census = createCensus(1)
    const commander = createCommander({
      census,
      publish: () => Promise.reject(Object.assign(new Error('outbox is full'), { code: 'publish-dropped' })),
    })
    commander.ask({ id, serial: '0a' })
    await new Promise(setImmediate)
    expect(census.failures.first()).toMatchObject([{ code: 'publish-dropped' }])
  })
})
