import { parseDeviceId } from '@fleetroot/pki'
import { describe, expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { decodeCommand, encodeResult } from '../telemetry/message.ts'
import { createCommander } from './commander.ts'

const id = parseDeviceId('device-0001')
const other = parseDeviceId('device-0002')
const bytes = (text: string) => new TextEncoder().encode(text)

function setUp() {
  const census = createCensus(1)
  const published: { topic: string; nonce: string }[] = []
  const commander = createCommander({
    run: 'r1',
    census,
    publish: async (topic, payload) => {
      published.push({ topic, nonce: decodeCommand(bytes(payload))?.nonce ?? '' })
    },
  })
  const answer = (changes: Record<string, string> = {}, from = id) =>
    commander.answer(
      from,
      'identify',
      bytes(
        encodeResult({
          run: 'r1',
          nonce: published[0]?.nonce ?? '',
          id,
          serial: '0a',
          station: 'climate',
          ...changes,
        }),
      ),
    )
  return { census, published, commander, answer }
}

describe('createCommander', () => {
  test('asks once and counts the right answer once', () => {
    const { census, published, commander, answer } = setUp()
    commander.ask({ id, serial: '0a' })
    expect(published).toEqual([{ topic: 'devices/device-0001/commands/identify', nonce: expect.any(String) }])
    expect(commander.unanswered).toBe(1)
    answer()
    answer()
    commander.ask({ id, serial: '0a' })
    expect(published).toHaveLength(1)
    expect(commander.unanswered).toBe(0)
    expect(census.commands).toEqual({ sent: 1, answered: 1 })
  })

  test('repeats a command that got no answer before the device came back, and counts it once', () => {
    const { census, published, commander } = setUp()
    commander.ask({ id, serial: '0a' })
    commander.ask({ id, serial: '0a' })
    expect(published).toHaveLength(2)
    expect(published[1]).toEqual(published[0])
    expect(census.commands.sent).toBe(1)
  })

  test.each([
    ['another nonce', { nonce: 'guess' }],
    ['the id of another device', { id: 'device-0002' }],
    ['the serial of another certificate', { serial: '0b' }],
  ])('does not accept an answer with %s', (_, changes) => {
    const { census, commander, answer } = setUp()
    commander.ask({ id, serial: '0a' })
    answer(changes)
    expect(commander.unanswered).toBe(1)
    expect(census.commands.answered).toBe(0)
    expect(census.failures.first()).toMatchObject([{ device: id, phase: 'command', code: 'answer-wrong' }])
  })

  test('ignores answers of other runs, of devices that were not asked, and to other commands', () => {
    const { census, commander, answer } = setUp()
    commander.ask({ id, serial: '0a' })
    answer({ run: 'r2' })
    answer({}, other)
    commander.answer(id, 'reboot', bytes('{}'))
    commander.answer(id, 'identify', bytes('{'))
    expect(commander.unanswered).toBe(1)
    expect(census.failures.total).toBe(0)
  })

  test('reports a command that could not be sent', async () => {
    const census = createCensus(1)
    const commander = createCommander({
      run: 'r1',
      census,
      publish: () => Promise.reject(Object.assign(new Error('outbox is full'), { code: 'publish-dropped' })),
    })
    commander.ask({ id, serial: '0a' })
    await new Promise(setImmediate)
    expect(census.failures.first()).toMatchObject([{ code: 'publish-dropped' }])
  })
})
