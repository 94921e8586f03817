import type { Policy } from '@fleetroot/policy'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import type { Authorities } from '../authorities/authorities.ts'
import { Current } from '../current.ts'
import { TicketKeys } from '../listener/ticket-keys.ts'
import { Revocation } from '../revocation/revocation.ts'
import type { Known } from '../serve.ts'
import type { Beginning, ToWorker } from './messages.ts'
import { fromPlain } from './plain-authorities.ts'

/**
 * What a worker goes by: what the supervising process has learned, as far as it was told. It grows stale by itself when
 * nothing is told any more, and then nobody passes.
 */
export class Relayed implements Known {
  readonly authorities: Current<Authorities>
  readonly identity: Current<KeyAndCertificate>
  readonly revocation: Revocation
  readonly ticketKeys: TicketKeys
  readonly activation: Known['activation']
  readonly #policies: Map<string | undefined, Policy>
  #onPolicy: (policy: Policy, listener: string | undefined) => void = () => undefined

  constructor(
    { config, policies, authorities, identity, ticketKeys, revocation }: Beginning,
    activation: Known['activation'],
  ) {
    this.activation = activation
    this.authorities = new Current(fromPlain(authorities))
    this.identity = new Current(identity)
    this.ticketKeys = new TicketKeys(Buffer.from(ticketKeys))
    this.#policies = new Map(policies.map(({ listener, policy }) => [listener, policy]))
    this.revocation = new Revocation(this.authorities.current, {
      policy: config.revocationStale,
      afterMs: config.revocationStaleAfter,
      now: Date.now,
    })
    for (const step of revocation) this.revocation.take(step)
  }

  readonly policies: Known['policies'] = {
    of: (listener) => (this.#policies.get(listener) ?? this.#policies.get(undefined))!,
    onChange: (listen) => void (this.#onPolicy = listen),
  }

  /** Puts a change in force before it returns. Messages that are no change are not for here. */
  take(message: ToWorker): void {
    switch (message.kind) {
      case 'policy': {
        const { policy, listener } = message.change
        this.#policies.set(listener, policy)
        return this.#onPolicy(policy, listener)
      }
      case 'authorities':
        return this.authorities.set(fromPlain(message.authorities))
      case 'identity':
        return this.identity.set(message.identity)
      case 'ticket-keys':
        return this.ticketKeys.use(Buffer.from(message.keys))
      case 'revocation':
        return this.revocation.take(message.step)
      case 'begin':
      case 'ask':
      case 'stop':
        return undefined
    }
  }
}
