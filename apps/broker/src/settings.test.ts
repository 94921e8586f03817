import { readFileSync } from 'node:fs'
import { loadConfig } from '@fleetroot/service'
import { describe, expect, test } from 'vitest'
import { settings } from './settings.ts'

const load = (flag: string) =>
  loadConfig({ app: 'broker', version: '1', summary: '', settings, argv: [flag], env: {} })

describe('the settings that a timer waits for', () => {
  test.each(['wait', 'connect-timeout', 'drain-timeout'])(
    '--%s refuses what would be over at once',
    (name) => {
      expect(() => load(`--${name}=25d`)).toThrow(`--${name}="25d": must be at most 24d`)
      expect(() => load(`--${name}=24d`)).not.toThrow()
    },
  )
})

describe('the settings of listeners', () => {
  test.each([
    ['--proxy-from=10.0.0.0/8,elsewhere', '"elsewhere" is not an address or a network'],
    ['--listeners=[]', 'needs at least one listener'],
    ['--listeners=[{name: a, kind: mqtts, port: 1}, {name: a, kind: wss, port: 2}]', 'the same name'],
    ['--listeners=[{name: a, kind: mqtt, port: 1}]', 'kind'],
    ['--listeners=[{name: a, kind: mqtts, port: 70000}]', 'port'],
    ['--listeners=[{name: a, kind: mqtts, port: 1, proxyFrom: [x]}]', '"x" is not an address'],
    ['--listeners=[{name: a, kind: mqtts, port: 1, anonymous: true}]', 'anonymous'],
  ])('refuse %s', (flag, reason) => {
    expect(() => load(flag)).toThrow(reason)
  })

  test('take what the help says', () => {
    expect(
      load('--listeners=[{name: lab, kind: wss, port: 0, host: "::", tlsMode: strict, policy: lab.yaml}]'),
    ).toMatchObject({
      config: { listeners: [{ name: 'lab', kind: 'wss', host: '::' }] },
    })
  })
})

describe('the limits of the guards', () => {
  test.each(['accept-rate', 'max-handshakes', 'connect-rate', 'message-rate', 'filter-rate'])(
    '--%s is never 0',
    (name) => {
      expect(() => load(`--${name}=0`)).toThrow('1')
    },
  )
})

test('every limit is in docs/operations.md, with its flag', () => {
  const text = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')
  const limits = Object.keys(settings).filter((key) =>
    /^(max|accept|handshake|connect|message|byte|drain)/.test(key),
  )
  const flags = limits.map((key) => `--${key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`)
  expect(flags.filter((flag) => !text.includes(`\`${flag}\``))).toEqual([])
})

describe('the settings of revocation', () => {
  test('are fail-closed after ten minutes unless somebody chooses otherwise', () => {
    const loaded = load('--port=0')
    expect(loaded).toMatchObject({
      config: { revocationStale: 'fail-closed', revocationStaleAfter: 600_000, revocationPoll: 60_000 },
    })
    expect(() => load('--revocation-stale=open')).toThrow('fail-closed')
  })

  test.each([
    ['--revocation-stale-after=14s', 'at least 15s'],
    ['--revocation-poll=500ms', 'at least 1s'],
    ['--revocation-poll=25d', 'at most 24d'],
  ])('refuse %s', (flag, reason) => {
    expect(() => load(flag)).toThrow(reason)
  })
})
