import { describe, expect, it } from 'vitest'
import { complaintOf, load } from './load.fixture.ts'

const warningsFor = (env: Record<string, string>) => {
  const loaded = load([], env)
  return loaded.kind === 'config' ? loaded.warnings : undefined
}

describe('FLEETROOT_ variables that this app does not know', () => {
  it.each([
    ['FLEETROOT_BROKER_PROT', 'FLEETROOT_BROKER_PORT'],
    ['FLEETROOT_BORKER_PORT', 'FLEETROOT_BROKER_PORT'],
    ['FLEETROOT_BROKER_METRIC_PORT', 'FLEETROOT_BROKER_METRICS_PORT'],
    ['FLEETROOT_BROKERPORT', 'FLEETROOT_BROKER_PORT'],
    ['FLEETROOTBROKER_PORT', 'FLEETROOT_BROKER_PORT'],
    ['FLEETROOT_PASSPHRSAE', 'FLEETROOT_PASSPHRASE'],
  ])('refuses the misspelling %s', (name, meant) => {
    expect(complaintOf([], { [name]: '1' })).toContain(`${name} is not a variable; did you mean ${meant}?`)
  })

  it('does not print the value of a misspelling, which may be a secret', () => {
    expect(complaintOf([], { FLEETROOT_PASSPHRSAE: 'hunter22' })).not.toContain('hunter22')
  })

  it('warns about one that lacks a word of ours', () => {
    expect(warningsFor({ FLEETROOT_METRICS_PORT: '1' })).toEqual([
      'FLEETROOT_METRICS_PORT is ignored; did you mean FLEETROOT_BROKER_METRICS_PORT?',
    ])
  })

  it.each([
    'FLEETROOT_ENROLLMENT_PORT',
    'FLEETROOT_ENROLLMENT_METRICS_PORT',
    'FLEETROOT_BROKER_HOST',
    'FLEETROOT_BROKER_WSS_PORT',
    'FLEETROOT_CA_PASSPHRASE',
    'FLEETROOT_SIMULATOR_DEVICES',
  ])('leaves %s to the app that it belongs to', (name) => {
    expect(warningsFor({ [name]: '1' })).toEqual([])
  })
})
