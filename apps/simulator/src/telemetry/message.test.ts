import { describe, expect, test } from 'vitest'
import {
  decodeCommand,
  decodeResult,
  decodeTelemetry,
  encodeCommand,
  encodeResult,
  encodeTelemetry,
} from './message.ts'

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

describe('commands and results', () => {
  test('come back as they were sent', () => {
    const command = { run: 'r1', command: 'identify' as const, nonce: 'n1' }
    expect(decodeCommand(bytes(encodeCommand(command)))).toEqual(command)
    const result = { run: 'r1', nonce: 'n1', id: 'device-0001', serial: '0a', station: 'climate' }
    expect(decodeResult(bytes(encodeResult(result)))).toEqual(result)
  })

  test('are refused when the device does not know the command', () => {
    expect(decodeCommand(bytes('{"run":"r1","command":"format","nonce":"n1"}'))).toBeUndefined()
    expect(decodeCommand(bytes('{"run":"r1","command":"identify","nonce":""}'))).toBeUndefined()
  })
})
