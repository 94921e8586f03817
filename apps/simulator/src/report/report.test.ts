import { describe, expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { buildReport } from './report.ts'

const facts = {
  run: 'r1',
  startedAt: '2026-01-02T03:04:05.678Z',
  seed: 1,
  durationMs: 1234.5,
  endedBy: 'duration' as const,
  keyAlgorithm: 'P-256',
  messagesPerSecond: 1,
  versions: { fleetroot: '0.1.0', node: '26.10.0', openssl: '3.5.4' },
}

describe('buildReport', () => {
  test('has every promised field, as numbers, even of a run in which nothing happened', () => {
    const report = JSON.parse(JSON.stringify(buildReport(createCensus(3), facts)))
    for (const field of [
      'devices',
      'enrolled',
      'reused',
      'renewed',
      'connected',
      'published',
      'acknowledged',
      'delivered',
      'lost',
      'duplicated',
      'refused',
      'seed',
      'durationMs',
    ]) {
      expect([field, typeof report[field]]).toEqual([field, 'number'])
    }
    for (const latency of ['enrollMs', 'connectMs', 'deliveryMs']) {
      expect(report[latency]).toEqual({ count: 0, p50: 0, p90: 0, p99: 0, max: 0 })
    }
    expect(report).toMatchObject({ ok: false, devices: 3, errors: [], errorsTotal: 0 })
  })

  test('calls lost what was acknowledged and not delivered', () => {
    const census = createCensus(1)
    for (const sequence of [1, 2, 3]) {
      census.ledger.published('a', sequence, 0)
      census.ledger.acknowledged('a', sequence)
    }
    census.ledger.delivered('a', 2)
    census.ledger.delivered('a', 2)
    expect(buildReport(census, facts)).toMatchObject({
      published: 3,
      acknowledged: 3,
      delivered: 1,
      lost: 2,
      duplicated: 1,
      lostMessages: [
        { device: 'a', sequence: 1 },
        { device: 'a', sequence: 3 },
      ],
    })
  })

  test('keeps the first hundred errors and the number of all', () => {
    const census = createCensus(1)
    for (let index = 0; index < 250; index++) {
      census.failures.add({ device: 'a', phase: 'connect', code: 'connect-refused', message: 'no' })
    }
    const report = buildReport(census, facts)
    expect(report.errors).toHaveLength(100)
    expect(report.errorsTotal).toBe(250)
  })
})
