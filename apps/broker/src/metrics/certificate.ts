import type { Certificate } from '@fleetroot/pki'
import { Gauge, type Operations } from '@fleetroot/service'

/** Shows at `/metrics` how long the broker's own certificate is still good: a renewal that fails is seen long before it matters. */
export function exposeCertificate(register: Operations['register'], own: () => Certificate): void {
  const valid = new Gauge({
    name: 'fleetroot_broker_certificate_valid_seconds',
    help: 'Time until the broker’s own certificate expires',
    registers: [],
    collect() {
      this.set((own().notAfter.getTime() - Date.now()) / 1000)
    },
  })
  register.registerMetric(valid)
}
