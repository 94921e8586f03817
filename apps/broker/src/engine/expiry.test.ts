import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type BenchEngine, identity, startBenchEngine } from '../testing/bench-engine.ts'

const pump = identity('device', 'pump')
const service = identity('service', 'backend')

let bench: BenchEngine

beforeEach(async () => {
  bench = await startBenchEngine()
})
afterEach(async () => {
  await bench.engine.close()
})

describe('a certificate that has ended', () => {
  const brief = identity('device', 'brief', { notAfterMs: 1_700_000_001_000 })

  test('passes no publish to the millisecond, and its session ends', async () => {
    const backend = await bench.connect(service)
    await backend.subscribe('devices/#')
    const device = await bench.connect(brief)
    await device.publish('devices/brief/state', '1')
    bench.time = brief.notAfterMs
    device.send({
      cmd: 'publish',
      topic: 'devices/brief/state',
      payload: '2',
      qos: 0,
      retain: false,
      dup: false,
    })
    await device.closed
    await (await bench.connect(pump)).publish('devices/pump/state')
    await backend.message('devices/pump/state')
    expect(backend.topics).toEqual(['devices/brief/state', 'devices/pump/state'])
    expect(bench.counts.ended.get('certificate-expired')).toBe(1)
  })

  test('receives nothing', async () => {
    const device = await bench.connect(brief)
    await device.subscribe('devices/brief/commands/#')
    bench.time = brief.notAfterMs
    const backend = await bench.connect(service)
    await backend.publish('devices/brief/commands/1')
    await device.closed
    expect(device.topics).toEqual([])
  })

  test('ends a session that does nothing at all', async () => {
    const device = await bench.connect(brief)
    bench.time = brief.notAfterMs
    await device.closed
    expect(bench.counts.ended.get('certificate-expired')).toBe(1)
  })

  test('publishes no will', async () => {
    const backend = await bench.connect(service)
    await backend.subscribe('devices/#')
    const device = bench.open(brief)
    const will = { topic: 'devices/brief/state', payload: Buffer.from('gone'), qos: 1, retain: true } as const
    await device.connect({ clientId: 'brief', will })
    bench.time = brief.notAfterMs
    await device.closed
    await (await bench.connect(pump)).publish('devices/pump/state')
    await backend.message('devices/pump/state')
    expect(backend.topics).toEqual(['devices/pump/state'])
  })
})
