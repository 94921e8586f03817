import { join } from 'node:path'
import {
  expectPublishing,
  expectShutOut,
  startDevice,
  startSystem,
  type System,
  temporaryFolder,
} from '@fleetroot/harness'
import { createCsr, type Crl, generateKeyPair, parseCrl, toPem } from '@fleetroot/pki'
import { type AuditRecord, verifyAuditChain } from '@fleetroot/service'
import { afterAll, expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { settableClock } from './clock.ts'

judgedBy(['faketime', 'curl'], 'an enrollment server whose clock', () => {
  const folder = temporaryFolder()
  afterAll(() => folder[Symbol.dispose]())
  const minutes = 60_000

  async function list(system: System): Promise<Crl> {
    const root = join(system.data, 'public/root.crt')
    // Whether its certificate is valid by our clock is not the question here.
    const args = ['--silent', '--fail', '--insecure', '--cacert', root, `${system.serverUrl}/crl/devices.crl`]
    return parseCrl((await succeed('curl', args)).stdout)
  }
  /** Looks after what is due at once, and not within half a minute. */
  const refresh = (system: System): void => system.server.signal('SIGHUP')

  async function audit(system: System): Promise<AuditRecord[]> {
    const { body } = await system.admin.call('GET', '/v1/audit?limit=1000')
    return (body as { items: AuditRecord[] }).items
  }

  test('jumps a month ahead and back lets no revoked device in, expires what is over while it lasts, and is as before afterwards', async () => {
    const clock = settableClock(join(folder.path, 'server'))
    await using system = await startSystem({ serverEnv: clock.env })
    const [kept, revoked] = await Promise.all([system.device('kept'), system.device('revoked')])
    await Promise.all([kept, revoked].map(expectPublishing))
    await system.change('/v1/devices/revoked/revoke')
    await revoked.waitFor(/^offline/m)
    await expect.poll(async () => (await list(system)).revoked.size, { timeout: 60_000 }).toBe(1)
    const token = await system.admin.token('late')
    const before = await list(system)

    clock.set('+32d')
    refresh(system)
    await expect
      .poll(async () => (await list(system)).thisUpdate.getTime(), { timeout: 60_000 })
      .toBeGreaterThan(before.nextUpdate.getTime())
    // Its revoked certificate has expired by that clock and may leave the list: twice made, and it would be gone.
    clock.set('+33d')
    refresh(system)
    await expect.poll(async () => (await list(system)).revoked.size, { timeout: 60_000 }).toBe(0)
    // The broker goes by a clock of its own, by which such a list is from the future.
    await expectPublishing(kept)
    await expectShutOut(revoked)
    // With a CSR that gets no certificate at any time: what is asked is whether the token would be taken.
    const csr = createCsr({ privateKey: generateKeyPair('P-256').privateKey, commonName: 'another' })
    const body = JSON.stringify({ csr: toPem('CERTIFICATE REQUEST', csr) })
    const url = `${system.serverUrl}/v1/enrollments`
    const enrolling = async (): Promise<string> =>
      (await run('curl', ['--silent', '--insecure', '--oauth2-bearer', token, '--json', body, url])).text
    expect(await enrolling()).toContain('"code":"token-expired"')

    clock.set('+0')
    refresh(system)
    await expect
      .poll(async () => Math.abs((await list(system)).thisUpdate.getTime() - Date.now()), { timeout: 60_000 })
      .toBeLessThan(5 * minutes)
    const after = await list(system)
    expect(after.revoked.size).toBe(1)
    expect(after.number).toBeGreaterThan(before.number)
    expect(await enrolling()).toContain('"code":"csr-common-name-other"')
    // Its own certificate is valid again: a device that is new enrolls by the right clock.
    const late = startDevice(system.orders('late', { token }))
    expect(await late.exited, late.output()).toEqual({ status: 0, signal: null })
    await expectShutOut(revoked)
    await expectPublishing(kept)

    // The order of the audit is that of its numbers, whatever the times in it.
    const records = await audit(system)
    expect(verifyAuditChain(records)).toMatchObject({ ok: true })
    const times = records.map(({ record }) => Date.parse(record['at'] as string))
    expect(times).not.toEqual(times.toSorted((a, b) => a - b))
  })

  test('jumps while it is down forgets no revocation when it starts', async () => {
    const clock = settableClock(join(folder.path, 'restarted'))
    await using system = await startSystem({ serverEnv: clock.env })
    const device = await system.device('revoked')
    await expectPublishing(device)
    await system.change('/v1/devices/revoked/revoke')
    await device.waitFor(/^offline/m)
    for (const offset of ['+32d', '+33d', '+34d', '+0']) {
      await system.server.stop('SIGKILL')
      clock.set(offset)
      await system.restartServer()
      refresh(system)
      await list(system)
    }
    expect((await list(system)).revoked.size).toBe(1)
    await expectShutOut(device)
  })
})
