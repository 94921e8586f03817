import { Gauge, type Operations } from '@fleetroot/service'
import type { Census } from '../accounting/census.ts'

/**
 * Serves the census as Prometheus metrics. All are gauges that read the census when they are scraped, so
 * that the fleet's hot path knows nothing of them.
 */
export function registerMetrics(register: Operations['register'], census: Census): void {
  const devices = new Gauge({
    name: 'fleetroot_simulator_devices',
    help: 'Devices by how far they came',
    labelNames: ['state'],
    registers: [register],
    collect() {
      this.set({ state: 'planned' }, census.devices)
      this.set({ state: 'enrolled' }, census.enrolled)
      this.set({ state: 'reused' }, census.reused)
      this.set({ state: 'connected' }, census.connected)
      this.set({ state: 'online' }, census.online)
    },
  })
  const messages = new Gauge({
    name: 'fleetroot_simulator_messages',
    help: 'Messages of this run by what became of them; undelivered are acknowledged and not yet arrived',
    labelNames: ['state'],
    registers: [register],
    collect() {
      for (const [state, value] of Object.entries(census.ledger.counts())) this.set({ state }, value)
    },
  })
  const latency = new Gauge({
    name: 'fleetroot_simulator_latency_seconds',
    help: 'Latency from the intended time on, over the whole run',
    labelNames: ['of', 'quantile'],
    registers: [register],
    collect() {
      for (const kind of ['enroll', 'connect', 'delivery'] as const) {
        const { p50, p90, p99, max } = census[kind].percentiles()
        this.set({ of: kind, quantile: '0.5' }, p50 / 1_000)
        this.set({ of: kind, quantile: '0.9' }, p90 / 1_000)
        this.set({ of: kind, quantile: '0.99' }, p99 / 1_000)
        this.set({ of: kind, quantile: '1' }, max / 1_000)
      }
    },
  })
  const errors = new Gauge({
    name: 'fleetroot_simulator_errors',
    help: 'Errors and refusals of this run',
    labelNames: ['kind'],
    registers: [register],
    collect() {
      this.set({ kind: 'error' }, census.failures.total)
      this.set({ kind: 'refused' }, census.refused)
      this.set({ kind: 'unexpected' }, census.unexpected)
    },
  })
  const renewals = new Gauge({
    name: 'fleetroot_simulator_renewals',
    help: 'Certificates renewed while connected, and devices whose certificate expired without',
    labelNames: ['state'],
    registers: [register],
    collect() {
      this.set({ state: 'renewed' }, census.renewed)
      this.set({ state: 'exhausted' }, census.exhausted)
    },
  })
  void [devices, messages, latency, errors, renewals]
}
