import { parseDeviceId } from '@fleetroot/pki'
import { describe, expect, test } from 'vitest'
import { commandTopic, readTopic, telemetryTopic } from './topic.ts'

const device = parseDeviceId('device-0001')

describe('readTopic', () => {
  test('reads every topic that the fleet writes', () => {
    expect(readTopic(telemetryTopic(device, 'climate'))).toEqual({ kind: 'telemetry', device })
    expect(readTopic(commandTopic(device, 'c1'))).toEqual({ kind: 'command', device, command: 'c1' })
    expect(readTopic(`${commandTopic(device, 'c1')}/result`)).toEqual({
      kind: 'result',
      device,
      command: 'c1',
    })
  })

  test.each([
    'devices',
    'devices/device-0001',
    'devices/device-0001/telemetry',
    'devices/device-0001/telemetry/',
    'devices/device-0001/telemetry/climate/more',
    'devices/device-0001/state',
    'devices/-x/telemetry/climate',
    'devices/../telemetry/climate',
    'devices/device-0001/commands/c1/other',
    'devices/device-0001/commands/c1/result/more',
    'fleet/presence/device-0001',
    '',
  ])('ignores %j', (topic) => {
    expect(readTopic(topic)).toBeUndefined()
  })
})
