import { describe, expect, it } from 'vitest'
import { complaintOf, configOf } from './load.fixture.ts'

describe('the configuration file', () => {
  it('takes camelCase keys, lists and mappings', () => {
    const config = configOf([], {}, 'metricsPort: 1\ndns: [a, b]\nlimits:\n  clients: 3\nplain: true\n')
    expect(config).toMatchObject({ metricsPort: 1, dns: ['a', 'b'], limits: { clients: 3 }, plain: true })
  })

  it.each([
    ['metricPort: 1', 'line 1: metricPort is not a setting; did you mean metricsPort?'],
    ['# ports\nmetrics-port: 1', 'line 2: metrics-port is not a setting; did you mean metricsPort?'],
    ['port: none', 'line 1: port="none": must be a whole number'],
    ['port: "8883"', 'line 1: port="8883": must be a whole number'],
    ['mode: 3', 'must be one of compatible, strict'],
    ['dns: a.example', 'must be a list'],
    ['limits: {clients: 1, packets: 2}', 'limits={"clients":1,"packets":2}: has unknown keys: packets'],
    ['limits:\n  # many\n  clients: none', 'line 3: limits clients="none": must be a'],
    ['dns:\n  - a\n  - 7', 'line 3: dns entry 2=7: must be text'],
    ['handshakeTimeout: 20', 'has no unit; write 20s'],
    ['maxPacket: 4096', 'has no unit; write 4096B'],
    ['port: 1\nport: 2', 'line 2: Map keys must be unique'],
    ['port: [1', 'line 1: '],
    ['- port', 'must be a mapping of settings'],
    ['constructor: 1', 'line 1: constructor is not a setting'],
    [
      'mode: *strict',
      'line 1: mode uses an alias (*) that cannot be followed; quote a text that begins with *',
    ],
  ])('refuses %j with the line', (yaml, message) => {
    expect(complaintOf([], {}, yaml)).toContain(message)
  })

  it('does not repeat a text that was meant to be quoted', () => {
    expect(complaintOf([], {}, 'mode: *Sup3rS3cret')).not.toContain('Sup3rS3cret')
  })

  it('says when it does not exist or is a directory', () => {
    expect(complaintOf(['--config=/nowhere/x.yaml'])).toContain(
      '--config: cannot read /nowhere/x.yaml: there is no such file',
    )
    expect(complaintOf(['--config=/'])).toContain('--config: cannot read /: it is a directory')
  })
})
