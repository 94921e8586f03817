import { Counter, type Operations } from '@fleetroot/service'

/** What the server counts. */
export interface Metrics {
  readonly decided: (protocol: string, decision: string) => void
  readonly refusedAtGate: (code: string) => void
}

/** Registers the server's own metrics with its operations listener. */
export function createMetrics(register: Operations['register']): Metrics {
  const decisions = new Counter({
    name: 'fleetroot_enrollment_decisions_total',
    help: 'Enrollment decisions by protocol: issued, repeated, or the code of the refusal',
    labelNames: ['protocol', 'decision'],
    registers: [register],
  })
  const refusals = new Counter({
    name: 'fleetroot_enrollment_gate_refusals_total',
    help: 'Requests that the access gate refused, by code',
    labelNames: ['code'],
    registers: [register],
  })
  return {
    decided: (protocol, decision) => decisions.inc({ protocol, decision }),
    refusedAtGate: (code) => refusals.inc({ code }),
  }
}
