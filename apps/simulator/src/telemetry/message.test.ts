import { describe, expect, test } from 'vitest'
import { decodeResult, decodeTelemetry, encodeTelemetry } from './message.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const telemetry = {
  run: 'r1',
  id: 'device-0001',
  seq: 7,
  sentAt: '2026-01-02T03:04:05.678Z',
  readings: { temperatureC: 21.37, batteryPercent: 88.1 },
}

describe('telemetry messages', () => {
  test('come back as they were sent', () => {
    expect(decodeTelemetry(bytes(encodeTelemetry(telemetry)))).toEqual(telemetry)
  })

  test.each([
    ['no JSON', '{'],
    ['not an object', '7'],
    ['a missing reading set', JSON.stringify({ ...telemetry, readings: undefined })],
    ['a reading that is text', JSON.stringify({ ...telemetry, readings: { temperatureC: 'warm' } })],
    ['sequence number 0', JSON.stringify({ ...telemetry, seq: 0 })],
    ['half a sequence number', JSON.stringify({ ...telemetry, seq: 1.5 })],
    ['a field too many', JSON.stringify({ ...telemetry, admin: true })],
    ['an empty payload', ''],
  ])('are refused with %s', (_, payload) => {
    expect(decodeTelemetry(bytes(payload))).toBeUndefined()
  })
})

describe('results of commands', () => {
  test('are read when they are an identity or an error', () => {
    const result = { id: 'q1', ok: true, result: { device: 'device-0001', serial: '0a', station: 'climate' } }
    expect(decodeResult(bytes(JSON.stringify(result)))).toEqual(result)
    const error = { id: 'q1', ok: false, error: 'no such command' }
    expect(decodeResult(bytes(JSON.stringify(error)))).toEqual(error)
  })

  test('are refused in any other shape', () => {
    expect(decodeResult(bytes('{"id":"q1","ok":true,"result":{}}'))).toBeUndefined()
    expect(decodeResult(bytes('{"id":null,"ok":false,"error":"x"}'))).toBeUndefined()
  })
})
