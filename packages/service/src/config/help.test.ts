import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { configOf, printedBy, settings } from './load.fixture.ts'
import { flagOf } from './setting.ts'

describe('--help', () => {
  const help = printedBy(['--help'])
  const lines = help.split('\n')

  it('opens with what the app is', () => {
    expect(lines[0]).toBe('broker 0.1.0: a broker')
  })

  it('shows flag, variable, default and meaning of every setting in aligned columns', () => {
    const start = lines.findIndex((line) => line.startsWith('flag'))
    const meaning = lines[start]?.indexOf('meaning') ?? -1
    for (const { help } of Object.values(settings)) {
      expect(lines.find((line) => line.includes(help))?.indexOf(help)).toBe(meaning)
    }
    expect(help).toMatch(/^--port=… +FLEETROOT_BROKER_PORT +8883 +MQTT over TLS/m)
    expect(help).toMatch(/^--handshake-timeout=… +10s +limit of a handshake$/m)
    expect(help).toMatch(/^--max-packet=… +128KiB +largest packet$/m)
    expect(help).toMatch(/^--\[no-\]plain +false +lines/m)
  })

  it('shows no flag for a secret', () => {
    expect(help).not.toContain(flagOf('passphrase'))
    expect(help).toContain('FLEETROOT_PASSPHRASE')
  })

  it('wins over wrong settings, and -h is the same', () => {
    expect(printedBy(['--prot=1', '-h'])).toBe(help)
  })
})

describe('--version', () => {
  it('prints the name and the version', () => {
    expect(printedBy(['--version'])).toBe('broker 0.1.0\n')
  })
})

describe('--print-config', () => {
  const env = { FLEETROOT_BROKER_PORT: '1883', FLEETROOT_PASSPHRASE: 'long enough' }
  const printed = printedBy(['--print-config', '--handshake-timeout=5s'], env, 'dns: [a, b]\n')

  it('shows each value with its source', () => {
    expect(printed).toMatch(/^port: 1883 +# FLEETROOT_BROKER_PORT$/m)
    expect(printed).toMatch(/^metricsPort: 9465 +# default$/m)
    expect(printed).toMatch(/^handshakeTimeout: 5s +# --handshake-timeout$/m)
    expect(printed).toMatch(/^dns: \[ a, b \] +# .*broker\.yaml line 1$/m)
  })

  it('masks secrets', () => {
    expect(printed).toMatch(/^# passphrase: \[secret\] +# FLEETROOT_PASSPHRASE$/m)
    expect(printed).not.toContain('long enough')
  })

  it('prints what --config reads again', () => {
    expect(parse(printed)).toMatchObject({ port: 1883, maxPacket: '128KiB' })
    expect(configOf([], {}, printed)).toEqual({
      ...configOf(['--port=1883', '--handshake-timeout=5s', '--dns=a,b']),
    })
  })
})
