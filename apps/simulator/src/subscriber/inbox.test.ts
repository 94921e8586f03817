import { describe, expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { encodeTelemetry } from '../telemetry/message.ts'
import { createCommander } from './commander.ts'
import { createInbox } from './inbox.ts'

function setUp() {
  const census = createCensus(1)
  const commander = createCommander({ census, publish: () => Promise.resolve() })
  const inbox = createInbox({ run: 'r1', census, commander, now: () => 150 })
  const arrive = (topic: string, changes: Record<string, unknown> = {}) => {
    const telemetry = {
      run: 'r1',
      id: 'a',
      seq: 1,
      sentAt: '2026-01-02T03:04:05.678Z',
      readings: {},
      ...changes,
    }
    inbox({ topic, payload: new TextEncoder().encode(encodeTelemetry(telemetry)) })
  }
  census.ledger.published('a', 1, 100)
  return { census, inbox, arrive }
}

describe('the inbox of the subscriber', () => {
  test('settles telemetry and measures from the time at which it was due', () => {
    const { census, arrive } = setUp()
    arrive('devices/a/telemetry/climate')
    expect(census.ledger.counts().delivered).toBe(1)
    expect(census.delivery.percentiles()).toMatchObject({ count: 1, max: 50 })
  })

  test('counts a second arrival as a duplicate and measures it no second time', () => {
    const { census, arrive } = setUp()
    arrive('devices/a/telemetry/climate')
    arrive('devices/a/telemetry/climate')
    expect(census.ledger.counts()).toMatchObject({ delivered: 1, duplicated: 1 })
    expect(census.delivery.percentiles().count).toBe(1)
    expect(census.unexpected).toBe(0)
  })

  test.each([
    ['came on the topic of another device', 'devices/b/telemetry/climate', {}],
    ['claims to be another device', 'devices/a/telemetry/climate', { id: 'b' }],
    ['was never published', 'devices/a/telemetry/climate', { seq: 2 }],
  ])('reports a message of this run that %s', (_, topic, changes) => {
    const { census, arrive } = setUp()
    arrive(topic, changes)
    expect(census.unexpected).toBe(1)
    expect(census.ledger.counts().delivered).toBe(0)
    expect(census.failures.first()).toMatchObject([{ code: 'message-unexpected' }])
  })

  test('ignores other runs, other topics and other payloads', () => {
    const { census, arrive, inbox } = setUp()
    arrive('devices/a/telemetry/climate', { run: 'r2' })
    arrive('devices/a/state')
    arrive('fleet/presence/a')
    arrive('devices/a/commands/identify')
    inbox({ topic: 'devices/a/telemetry/climate', payload: Buffer.from('hello') })
    expect(census.unexpected).toBe(0)
    expect(census.ledger.counts().delivered).toBe(0)
  })
})
