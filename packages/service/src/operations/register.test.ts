import { Counter, Gauge, Registry } from 'prom-client'
import { describe, expect, it } from 'vitest'
import { metricsOf, type ProcessMetrics, withoutGauges, withOthers } from './register.ts'

async function process(values: { count: number; open: number; stale: number }): Promise<ProcessMetrics> {
  const register = new Registry()
  const registers = [register]
  new Counter({ name: 'seen_total', help: 'h', labelNames: ['what'], registers }).inc(
    { what: 'x' },
    values.count,
  )
  new Gauge({ name: 'open', help: 'h', registers }).set(values.open)
  new Gauge({ name: 'stale', help: 'h', registers, aggregator: 'max' }).set(values.stale)
  return structuredClone(await metricsOf(register))
}

describe('metrics of several processes', () => {
  it('are added up, or taken as each metric was declared', async () => {
    const text = await withOthers(await process({ count: 2, open: 3, stale: 0 }), [
      await process({ count: 5, open: 4, stale: 1 }),
    ]).metrics()
    expect(text).toContain('seen_total{what="x"} 7')
    expect(text).toContain('open 7')
    expect(text).toContain('stale 1')
  })

  it('keep what a process had counted that is gone, and forget what it was', async () => {
    const first = await withoutGauges(await process({ count: 2, open: 3, stale: 1 }))
    const left = await withoutGauges(await process({ count: 10, open: 1, stale: 1 }), first)
    const text = await withOthers(await process({ count: 1, open: 1, stale: 0 }), [left]).metrics()
    expect(text).toContain('seen_total{what="x"} 13')
    expect(text).toContain('open 1')
    expect(text).toContain('stale 0')
  })
})
