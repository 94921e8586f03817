import { Counter, Gauge, type Operations } from '@fleetroot/service'
import type { ActivationReporter } from '../activation/reporter.ts'

/** Shows at `/metrics` whether the enrollment server hears which certificates have connected. */
export function exposeActivation(register: Operations['register'], reporter: ActivationReporter): void {
  const registers = [register]
  // They register themselves.
  void new Gauge({
    name: 'fleetroot_broker_activation_waiting',
    help: 'Certificates that have connected and that the enrollment server has not heard of yet',
    registers,
    collect() {
      this.set(reporter.counts().waiting)
    },
  })
  void new Counter({
    name: 'fleetroot_broker_activation_failures_total',
    help: 'Reports of connections that the enrollment server did not take',
    registers,
    collect() {
      this.reset()
      this.inc(reporter.counts().failures)
    },
  })
}
