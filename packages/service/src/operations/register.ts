import { AggregatorRegistry, collectDefaultMetrics, Registry } from 'prom-client'

/** All metrics of a process as values, which may be sent to another process. */
export type ProcessMetrics = Awaited<ReturnType<Registry['getMetricsAsJSON']>>

/** A register that shows Node's default metrics. */
export function createRegister(): Registry {
  const register = new Registry()
  collectDefaultMetrics({ register })
  return register
}

/** What a register would show now. */
export function metricsOf(register: Registry): Promise<ProcessMetrics> {
  return register.getMetricsAsJSON()
}

/**
 * Metrics of several processes as one: values of the same labels are added up, unless the metric was declared with
 * another `aggregator` (`max`, `first`, `average`, `omit` …).
 */
export function withOthers(own: ProcessMetrics, others: readonly ProcessMetrics[]): Registry {
  return AggregatorRegistry.aggregate([own, ...others])
}

/**
 * What a process that is gone leaves to the metrics of those that remain: what it has counted. With `before`, what those
 * before it have left. A sum of counters would otherwise fall when a process ends, which reads like a restart of all.
 */
export async function withoutGauges(
  last: ProcessMetrics,
  before: ProcessMetrics = [],
): Promise<ProcessMetrics> {
  const kept = last.filter(({ type }) => String(type) !== 'gauge')
  return metricsOf(withOthers(before, [kept]))
}
