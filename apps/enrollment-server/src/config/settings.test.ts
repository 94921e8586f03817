import { loadConfig } from '@fleetroot/service'
import { describe, expect, it } from 'vitest'
import { settings } from './settings.ts'

const load = (flag: string) =>
  loadConfig({ app: 'enrollment-server', version: '1', summary: '', settings, argv: [flag], env: {} })

describe.each(['server-names', 'broker-names'])('--%s', (flag) => {
  it.each(['localhost', 'ca.fleet.example', 'a-1.example,10.0.0.7,::1', '2001:db8::7'])(
    'takes %s',
    (names) => {
      expect(load(`--${flag}=${names}`).kind).toBe('config')
    },
  )

  it.each([
    'a b',
    'https://ca.example',
    'ca.example:8443',
    'exämple',
    '-a.example',
    'a..example',
    '*.example',
    '10.0.0.256',
    '010.0.0.7',
    'fe80::1%eth0',
    '[::1]',
    '10.0.0.0/8',
  ])('refuses %s, and says which name is meant', (name) => {
    expect(() => load(`--${flag}=localhost,${name}`)).toThrow(
      `--${flag}=${JSON.stringify(['localhost', name])} entry 2: ${JSON.stringify(name)} must be a host name such as ca.example, without wildcards, or an IP address`,
    )
  })
})
