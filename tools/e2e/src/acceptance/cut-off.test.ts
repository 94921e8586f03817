import { expect, test } from 'vitest'
import { expectPublishing, expectShutOut, startSystem, transports } from '@fleetroot/harness'

// `cut`: connections end and new ones are refused. `silent`: they stand, and nothing arrives.
test.each(['cut', 'silent'] as const)(
  'a revocation while the way from the broker to the enrollment server is %s takes effect when it is back',
  async (state) => {
    await using system = await startSystem()
    const revoked = await Promise.all(
      transports.map((transport) => system.device(`revoked-${transport}`, { transport })),
    )
    const other = await system.device('other')
    await Promise.all([...revoked, other].map(expectPublishing))

    system.upstream.set(state)
    const heard = system.broker.output().length
    for (const { id } of revoked) await system.change(`/v1/devices/${id}/revoke`)
    const connected = async (): Promise<string> =>
      /^fleetroot_broker_revocation_stream_connected (\d)/m.exec(await system.operations('/metrics'))?.[1] ??
      ''
    // The broker cannot know yet, and does know that it is cut off.
    await expect.poll(connected, { timeout: 60_000 }).toBe('0')
    await Promise.all(revoked.map(expectPublishing))

    system.upstream.set('up')
    await Promise.all(revoked.map((device) => device.waitFor(/^offline connection-lost/m)))
    await Promise.all(revoked.map((device) => expectShutOut(device)))
    await expectPublishing(other)
    expect(other.output()).not.toContain('offline')
    expect(system.broker.output().slice(heard)).toMatch(/"reason":"certificate-revoked"/)
    await expect.poll(connected, { timeout: 60_000 }).toBe('1')
  },
)
