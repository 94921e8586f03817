import type { Certificate } from '@fleetroot/pki'
import type { Operations } from '@fleetroot/service'
import { onRequest } from './on-request.ts'

/** Shows at `/metrics` how long the broker's own certificate is still good: a renewal that fails is seen long before it matters. */
export function exposeCertificate(register: Operations['register'], own: () => Certificate): void {
  onRequest(register).now(
    'certificate_valid_seconds',
    'Time until the broker’s own certificate expires',
    () => (own().notAfter.getTime() - Date.now()) / 1000,
  )
}
