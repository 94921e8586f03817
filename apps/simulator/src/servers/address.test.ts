import { loadConfig } from '@fleetroot/service'
import { describe, expect, test } from 'vitest'
import { settings } from '../settings.ts'
import { serverAddresses } from './address.ts'

function addresses(env: Record<string, string>, ...argv: string[]) {
  const loaded = loadConfig({ app: 'simulator', version: '0', summary: '', settings, argv, env })
  if (loaded.kind !== 'config') throw new Error('no configuration')
  return serverAddresses(loaded.config)
}

describe('serverAddresses', () => {
  test('finds both servers on their usual ports', () => {
    expect(addresses({})).toMatchObject({
      enrollment: { url: 'https://127.0.0.1:8443', readyUrl: 'http://127.0.0.1:9464/readyz' },
      broker: { url: 'mqtts://127.0.0.1:8883', readyUrl: 'http://127.0.0.1:9465/readyz' },
    })
  })

  test('follows the variables that the servers themselves read', () => {
    const env = {
      FLEETROOT_ENROLLMENT_PORT: '18443',
      FLEETROOT_ENROLLMENT_METRICS_PORT: '19464',
      FLEETROOT_BROKER_PORT: '18883',
      FLEETROOT_BROKER_METRICS_PORT: '19465',
    }
    expect(addresses(env)).toMatchObject({
      enrollment: { url: 'https://127.0.0.1:18443', readyUrl: 'http://127.0.0.1:19464/readyz' },
      broker: { url: 'mqtts://127.0.0.1:18883', readyUrl: 'http://127.0.0.1:19465/readyz' },
    })
  })

  test('takes a URL over a port, and then knows no readiness endpoint', () => {
    const { broker } = addresses({}, '--broker-url=mqtts://broker.example:8883')
    expect(broker).toMatchObject({ url: 'mqtts://broker.example:8883', readyUrl: undefined })
  })

  test('refuses port 0, which only a server can choose', () => {
    expect(() => addresses({ FLEETROOT_BROKER_PORT: '0' })).toThrow(
      'FLEETROOT_BROKER_PORT=0 does not say where the server is',
    )
  })
})

describe('the settings', () => {
  test.each([
    ['--devices=0', '--devices=0: must be at least 1'],
    ['--devices=many', '--devices="many": must be a number'],
    ['--duration=20', 'has no unit; write 20s'],
    ['--rate=0', '--rate=0: must be at least 0.001'],
    ['--id-prefix=a/b', 'must start with a letter or digit'],
    ['--key-algorithm=P256', 'did you mean P-256?'],
    ['--broker-url=mqtt://broker:1883', '--broker-url'],
    ['--device=5', 'did you mean --devices?'],
    ['--seed=-1', '--seed=-1: must be at least 0'],
  ])('refuse %s with the reason', (flag, reason) => {
    expect(() => addresses({}, flag)).toThrow(reason)
  })
})
