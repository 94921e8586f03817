import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openServers, type Servers } from '@fleetroot/harness'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { joined } from './testing/joined.ts'

let servers: Servers
let folder: string
let start: Servers['start']

beforeEach(async () => {
  servers = await openServers()
  ;({ folder, start } = servers)
})
afterEach(() => {
  vi.unstubAllEnvs()
  return servers.end()
})

describe('the broker as a process', () => {
  test('waits for the enrollment server, enrolls, serves, and starts again without it', async () => {
    const first = start('broker')
    await first.waitFor(/^broker: waiting for the root certificate .*root\.crt, up to 1m$/m)
    const server = start('enrollment-server')
    expect(await first.ready()).toMatch(/^mqtts:\/\/127\.0\.0\.1:\d+$/)
    expect(first.output()).toContain('"how":"enrolled"')
    expect(statSync(join(folder, 'broker/identity/identity.pem')).mode & 0o777).toBe(0o600)
    expect(readFileSync(join(folder, 'broker/policy.yaml'), 'utf8')).toContain('devices/${id}/telemetry/#')
    expect(await first.stop()).toEqual({ status: 0, signal: null })
    await server.stop()

    const second = start('broker')
    await second.ready()
    expect(second.output()).toContain('"how":"reused"')
    expect(second.output()).toContain('using the copy of the CA bundle')
    expect(await second.stop()).toEqual({ status: 0, signal: null })
  })

  test('two on one data directory share one identity', async () => {
    start('enrollment-server')
    const brokers = [start('broker'), start('broker')]
    const [one, other] = await Promise.all(brokers.map((broker) => broker.ready()))
    expect(one).not.toBe(other)
    const serials = brokers.map((broker) => /"serial":"(\w+)"/.exec(broker.output())?.[1])
    expect(serials[0]).toBe(serials[1])
  })

  test('does not open a store that another one has open, and says what to do; without a fixed port it takes a free one', async () => {
    start('enrollment-server')
    const store = join(folder, 'elsewhere')
    await start('broker', `--store-path=${store}`).ready()
    const second = start('broker', `--store-path=${store}`)
    expect((await second.exited).status).toBe(1)
    expect(second.output()).toMatch(
      /^broker: another broker uses the store \S+elsewhere; give this one its own with --store-path$/m,
    )
    const others = [start('broker'), start('broker')]
    await Promise.all(others.map((broker) => broker.ready()))
    const directories = others.map((broker) => /"directory":"[^"]*(any[^"]*)"/.exec(broker.output())?.[1])
    expect(new Set(directories)).toEqual(new Set(['any', 'any-2']))
    const third = start('broker', '--store=memory')
    await third.ready()
    expect(third.output()).toContain('what is acknowledged is lost when the process ends')
  })

  test('whose token is used up says where the next one comes from', async () => {
    const server = start('enrollment-server')
    const first = start('broker')
    await first.ready()
    await first.stop()
    rmSync(join(folder, 'broker/identity'), { recursive: true })
    const token = join(folder, 'bootstrap/broker.token')
    const second = start('broker')
    expect((await second.exited).status).toBe(1)
    expect(second.output()).toMatch(
      new RegExp(
        `^broker: the one-time token in ${token} was refused: .*token-used.*; restart the enrollment server, ` +
          'which makes a new one in bootstrap/broker\\.token of its data directory ' +
          'when the certificate of broker has expired or that file was deleted$',
        'm',
      ),
    )
    await server.stop()

    rmSync(token)
    await start('enrollment-server').ready()
    await start('broker').ready()
  })

  test('without a token of its own says where it comes from', async () => {
    await start('enrollment-server').ready()
    const broker = start('broker', '--id=broker-2')
    expect((await broker.exited).status).toBe(1)
    expect(broker.output()).toMatch(
      /^broker: the one-time token in \S+ was refused: .*; have the operator make a new one for broker-2$/m,
    )
    rmSync(join(folder, 'bootstrap/broker.token'))
    const another = start('broker')
    expect((await another.exited).status).toBe(1)
    expect(another.output()).toMatch(
      /^broker: there is no one-time token in \S+broker\.token and no valid certificate; restart the enrollment/m,
    )
  })

  test('gives up after the time it was given, in one sentence', async () => {
    const broker = start('broker', '--wait=300ms')
    expect((await broker.exited).status).toBe(1)
    expect(broker.output()).toMatch(
      /^broker: gave up waiting for the root certificate \S+root\.crt after 300ms; start the enrollment server,/m,
    )
  })

  test('does not start with a policy that has a mistake, and says where it is', async () => {
    const policy = join(folder, 'mine.yaml')
    writeFileSync(policy, 'version: 1\nroles:\n  admin: {}\n')
    const broker = start('broker', `--policy=${policy}`)
    expect((await broker.exited).status).toBe(1)
    expect(broker.output()).toContain(
      `broker: the policy file ${policy} is not valid: line 3: roles.admin: unknown role`,
    )
    expect(existsSync(join(folder, 'broker/policy.yaml'))).toBe(false)
  })

  test('opens the listeners of its configuration, each with its policy', async () => {
    start('enrollment-server')
    const lab = join(folder, 'lab.yaml')
    const config = join(folder, 'broker.yaml')
    writeFileSync(lab, 'version: 1\nroles: {}\n')
    writeFileSync(
      config,
      `listeners:
  - { name: main, kind: mqtts, port: 0 }
  - { name: browser, kind: wss, port: 0, host: '::1', tlsMode: strict }
  - { name: lab, kind: mqtts, port: 0, policy: '${lab}', proxyFrom: [192.0.2.1] }
`,
    )
    const broker = start('broker', `--config=${config}`)
    expect(await broker.ready()).toMatch(/^mqtts:\/\/127\.0\.0\.1:\d+$/)
    await broker.waitFor(/^broker: also listening on wss:\/\/\[::1\]:\d+\/mqtt$/m)
    await broker.waitFor(/^broker: also listening on mqtts:\/\/127\.0\.0\.1:\d+$/m)
    writeFileSync(lab, 'version: 1\nroles: { device: { clientIds: ["${id}"] } }\n')
    await broker.waitFor(/"listener":"lab".*the new policy is in force/)
  })

  test('takes a changed policy while it runs, and keeps the one in force when the change has a mistake', async () => {
    start('enrollment-server')
    const broker = start('broker')
    await broker.ready()
    const policy = join(folder, 'broker/policy.yaml')
    writeFileSync(policy, 'version: 1\nroles: {}\nextra: 1\n')
    await broker.waitFor(/line 3: extra: unknown key; known are version, roles/)
    expect(broker.output()).not.toContain('the new policy is in force')
    writeFileSync(policy, 'version: 1\nroles: {}\n')
    await broker.waitFor(/the new policy is in force/)
  })

  test('says nothing of what it is sent to whoever has set DEBUG, and neither do its libraries', async () => {
    vi.stubEnv('DEBUG', '*')
    start('enrollment-server')
    const broker = start('broker')
    const url = await broker.ready()
    const pump = await joined(url, servers.root(), await servers.enrolled('pump'), {
      clientId: 'pump',
      username: 'pump',
      password: Buffer.from('a secret'),
    })
    await pump.publish('devices/pump/telemetry/t', 'a secret')
    await broker.stop()
    expect(broker.output()).not.toMatch(/mqtt-packet|ioredis|a secret/)
  })
})
