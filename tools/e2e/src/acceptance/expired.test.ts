import { expect, test } from 'vitest'
import { expectPublishing, expectShutOut, startSystem } from '@fleetroot/harness'

test('a device whose certificate expires while it is connected is cut off and stays out, over mqtts and wss; one that renews notices nothing', async () => {
  await using system = await startSystem({ server: ['--device-lifetime=30s'] })
  const [mqtts, wss, renewing] = await Promise.all([
    system.device('ends-mqtts', { transport: 'mqtts' }),
    system.device('ends-wss', { transport: 'wss' }),
    system.device('renews', { renew: 'always' }),
  ])
  await Promise.all([mqtts, wss, renewing].map(expectPublishing))

  await Promise.all([mqtts, wss].map((device) => device.waitFor(/^offline connection-lost/m)))
  await Promise.all([mqtts, wss].map((device) => expectShutOut(device)))
  const metrics = await system.operations('/metrics')
  expect(metrics).toContain('fleetroot_broker_ended_total{reason="certificate-expired"} 2')
  expect(metrics).toMatch(/fleetroot_broker_refused_total\{reason="certificate-expired"\} [1-9]/)
  await renewing.waitFor(/^renewed/m)
  await expectPublishing(renewing)
  // An identity that is replaced ends one session itself; the broker ended none.
  expect(renewing.output()).not.toMatch(/^offline connection-lost/m)
})
