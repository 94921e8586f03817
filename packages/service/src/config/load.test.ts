import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { complaintOf, configOf, load } from './load.fixture.ts'
import { loadConfig } from './load.ts'
import { setting } from './setting.ts'

describe('the layers', () => {
  it('uses the defaults when nothing is given', () => {
    expect(configOf()).toEqual({
      port: 8883,
      metricsPort: 9465,
      enrollmentUrl: undefined,
      mode: 'compatible',
      maxPacket: 131_072,
      handshakeTimeout: 10_000,
      plain: false,
      dns: [],
      names: ['localhost'],
      limits: undefined,
      passphrase: undefined,
    })
  })

  it('lets the file win over the default, a variable over the file and a flag over the variable', () => {
    const yaml = 'port: 1001\nmetricsPort: 1002\nmode: strict\n'
    const env = { FLEETROOT_BROKER_PORT: '2001', FLEETROOT_BROKER_METRICS_PORT: '2002' }
    const config = configOf(['--port=3001'], env, yaml)
    expect([config.port, config.metricsPort, config.mode]).toEqual([3001, 2002, 'strict'])
  })

  it('treats an empty variable and an empty YAML value as not given', () => {
    expect(configOf([], { FLEETROOT_BROKER_PORT: '' }, 'port:\n').port).toBe(8883)
  })

  it('accepts an empty configuration file', () => {
    expect(configOf([], {}, '# nothing yet\n').port).toBe(8883)
  })

  it('makes a setting without a default required and says how to set it', () => {
    const settings = { cn: setting(z.string(), { env: 'FLEETROOT_CN', help: 'name' }) }
    const run = () => loadConfig({ app: 'x', version: '1', summary: '', settings, argv: [], env: {} })
    expect(run).toThrow('cn is required: set --cn or FLEETROOT_CN')
  })
})

describe('flags', () => {
  it('reads --flag=value, --flag value, --bool, --bool=false and --no-bool', () => {
    expect(configOf(['--port=1', '--metrics-port', '2', '--plain'])).toMatchObject({
      port: 1,
      metricsPort: 2,
      plain: true,
    })
    expect(configOf(['--plain', '--no-plain']).plain).toBe(false)
    expect(configOf(['--plain=false']).plain).toBe(false)
  })

  it('reads a list from commas or from a repeated flag, and a mapping from YAML', () => {
    expect(configOf(['--dns=a,b', '--dns', 'c']).dns).toEqual(['a', 'b', 'c'])
    expect(configOf(['--limits={clients: 5}']).limits).toEqual({ clients: 5 })
  })

  it.each([
    [['--prot=1'], '--prot is not an option; did you mean --port?'],
    [['--verbos'], '--verbos is not an option (--help'],
    [['--port'], '--port needs a value: write --port=VALUE'],
    [['--port', '--plain'], '--port needs a value'],
    [['broker.yaml'], 'unexpected argument "broker.yaml": settings are written --name=value'],
    [['--no-port'], '--no-port is not an option: only settings that are true or false have a --no- form'],
    [['--no-plain=1'], '--no-plain takes no value'],
    [['--plain=maybe'], '--plain="maybe": must be true or false'],
    [['--config'], '--config needs a value'],
  ])('refuses %j', (argv, message) => {
    expect(complaintOf(argv)).toContain(message)
  })
})

describe('errors', () => {
  it.each([
    [['--port=70000'], {}, '--port=70000: must be a whole number from 0 to 65535 (0 picks a free port)'],
    [['--port=0x50'], {}, '--port="0x50": must be a whole number from 0 to 65535'],
    [[], { FLEETROOT_BROKER_PORT: 'x' }, 'FLEETROOT_BROKER_PORT="x": must be a whole number from 0 to 65535'],
    [['--mode=strickt'], {}, '--mode="strickt": must be one of compatible, strict; did you mean strict?'],
    [['--handshake-timeout=20'], {}, '--handshake-timeout="20": has no unit; write 20s for seconds or 20ms'],
    [['--max-packet=big'], {}, '--max-packet="big": is not a size; write a number with a unit'],
    [['--names='], {}, '--names=[]: must have at least 1 entry, separated by commas'],
    [['--names=a,'], {}, '--names=["a",""] entry 2: must be at least 1 character long'],
    [
      ['--enrollment-url=nowhere'],
      {},
      '--enrollment-url="nowhere": must be a URL: scheme://host, and :port where it is not the usual one',
    ],
    [['--limits={clients: 1.5}'], {}, '--limits={"clients":1.5} clients: must be a whole number'],
    [['--limits={clients: x}'], {}, '--limits={"clients":"x"} clients: must be a number'],
  ])('names source, value and fix for %j %j', (argv, env, message) => {
    expect(complaintOf(argv, env)).toContain(message)
  })

  it('reports all of them together', () => {
    const message = complaintOf(
      ['--prot=1', '--mode=x'],
      { FLEETROOT_BROKER_METRICS_PORT: 'y' },
      'colour: red',
    )
    expect(message).toMatch(/^4 settings are wrong \(--help lists them\):\n/)
    expect(message).toContain('--prot is not an option')
    expect(message).toContain('--mode="x"')
    expect(message).toContain('FLEETROOT_BROKER_METRICS_PORT="y"')
    expect(message).toContain('colour is not a setting')
  })

  it('is one line when there is one', () => {
    expect(complaintOf(['--port=x'])).not.toContain('\n')
  })

  it('ends the process with status 2', () => {
    expect(() => load(['--port=x'])).toThrow(expect.objectContaining({ code: 'config', exitStatus: 2 }))
  })
})

describe('secrets', () => {
  it('are taken from variables and files', () => {
    expect(configOf([], { FLEETROOT_PASSPHRASE: 'long enough' }).passphrase).toBe('long enough')
    expect(configOf([], {}, 'passphrase: long enough').passphrase).toBe('long enough')
  })

  it('are refused on the command line without being repeated', () => {
    for (const argv of [['--passphrase=hunter22'], ['--passphrase', 'hunter22']]) {
      const message = complaintOf(argv)
      expect(message).toContain('--passphrase is refused, because other users can read a command line')
      expect(message).toContain('use FLEETROOT_PASSPHRASE')
      expect(message).not.toContain('hunter22')
    }
  })

  it('are not shown when they are wrong', () => {
    const message = complaintOf([], { FLEETROOT_PASSPHRASE: 'short' })
    expect(message).toContain('FLEETROOT_PASSPHRASE: must be at least 8 characters long')
  })
})
