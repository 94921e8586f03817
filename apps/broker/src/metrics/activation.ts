import type { Operations } from '@fleetroot/service'
import type { ActivationReporter } from '../activation/reporter.ts'
import { onRequest } from './on-request.ts'

/** Shows at `/metrics` whether the enrollment server hears which certificates have connected. */
export function exposeActivation(register: Operations['register'], reporter: ActivationReporter): void {
  const { now, total } = onRequest(register)
  now(
    'activation_waiting',
    'Certificates that have connected and that the enrollment server has not heard of yet',
    () => reporter.counts().waiting,
  )
  total(
    'activation_failures',
    'Reports of connections that the enrollment server did not take',
    () => reporter.counts().failures,
  )
}
