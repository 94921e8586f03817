import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type App, openServers, type Servers } from '@fleetroot/harness'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { expectSoon } from '../testing/followed-broker.ts'
import { joined } from '../testing/joined.ts'
import type { WireClient } from '../testing/wire-client.ts'

let servers: Servers
let enrolled: Servers['enrolled']
let change: Servers['change']
let operations: Servers['operations']

beforeEach(async () => {
  servers = await openServers()
  ;({ enrolled, change, operations } = servers)
})
afterEach(() => servers.end())

const startServer = (): App => servers.start('enrollment-server')
const startBroker = (): App => servers.start('broker', servers.metricsFlag)

const enter = (url: string, id: string, identity: KeyAndCertificate): Promise<WireClient> =>
  joined(url, servers.root(), identity, { clientId: id })

describe('the broker and the enrollment server as processes', () => {
  test('a device that is suspended, resumed and revoked is out, in and out, also when only the broker comes back', async () => {
    const server = startServer()
    await server.ready()
    const broker = startBroker()
    const url = await broker.ready()
    expect(await operations('/readyz')).toBe('{"status":"ready"}')
    const [pump, lamp] = await Promise.all([enrolled('pump'), enrolled('lamp')])
    const [first, other] = await Promise.all([enter(url, 'pump', pump), enter(url, 'lamp', lamp)])

    await change('pump', 'suspend')
    await first.closed
    await expect(enter(url, 'pump', pump)).rejects.toThrow('ended')
    const heard = broker.output().length
    await change('pump', 'resume')
    // A release counts when the signed list says so.
    await broker.waitFor(/"list":"devices".*revocation list in use/, heard)
    let again: WireClient | undefined
    while (again === undefined) again = await enter(url, 'pump', pump).catch(() => undefined)
    await change('pump', 'revoke')
    await again.closed
    await other.ping()
    const metrics = await operations('/metrics')
    expect(metrics).toContain('fleetroot_broker_ended_total{reason="certificate-revoked"} 1')
    expect(metrics).toContain('fleetroot_broker_ended_total{reason="certificate-suspended"} 1')
    expect(metrics).toMatch(/fleetroot_broker_refused_total\{reason="certificate-suspended"\} [1-9]/)
    expect(metrics).toContain('fleetroot_broker_revocation_stale 0')
    expect(metrics).toContain('fleetroot_broker_revocation_stream_connected 1')
    expect(metrics).toMatch(/fleetroot_broker_revocation_last_event_id [1-9]/)
    expect(metrics).toMatch(/fleetroot_broker_revocation_age_seconds \d/)

    // What is known goes to the disk after it has closed the session: the cut does not wait for an fsync.
    const state = join(servers.folder, 'broker/revocation/state.json')
    await expectSoon(() => readFileSync(state, 'utf8').includes('"mark":"revoked"'))
    await broker.stop('SIGKILL')
    await server.stop()
    const second = startBroker()
    const secondUrl = await second.ready()
    await enter(secondUrl, 'lamp', lamp)
    await expect(enter(secondUrl, 'pump', pump)).rejects.toThrow('ended')
    await second.waitFor(/"reason":"certificate-revoked"/)
    expect(await operations('/readyz')).toBe('{"status":"ready"}')
  })

  test('a broker whose own certificate is revoked says so and is not ready', async () => {
    await startServer().ready()
    const broker = startBroker()
    await broker.ready()
    await change('broker', 'revoke')
    const [, serial] = await broker.waitFor(
      /the broker's own certificate (\w+) is revoked: give it a new identity/,
    )
    expect(JSON.parse(await operations('/readyz'))).toEqual({
      status: 'not ready',
      checks: { identity: `the broker's own certificate ${serial} is revoked` },
    })
  })
})
