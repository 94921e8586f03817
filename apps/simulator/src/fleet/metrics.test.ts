import { createOperations } from '@fleetroot/service'
import { expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { registerMetrics } from './metrics.ts'

test('a scrape shows the census as it is at that moment', async () => {
  const operations = createOperations({ port: 0 })
  try {
    const census = createCensus(25)
    registerMetrics(operations.register, census)
    const port = await operations.listen()
    census.enrolled = 7
    census.renewed = 3
    census.ledger.published('a', 1, 0)
    census.ledger.acknowledged('a', 1)
    census.delivery.record(250)
    const body = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(body).toContain('fleetroot_simulator_devices{state="planned"} 25')
    expect(body).toContain('fleetroot_simulator_devices{state="enrolled"} 7')
    expect(body).toContain('fleetroot_simulator_renewals{state="renewed"} 3')
    expect(body).toContain('fleetroot_simulator_messages{state="undelivered"} 1')
    expect(body).toContain('fleetroot_simulator_latency_seconds{of="delivery",quantile="0.5"} 0.25')
  } finally {
    await operations.close()
  }
})
