import type { Operations } from '@fleetroot/service'
import type { BrokerCounts } from './counts.ts'
import { onRequest } from './on-request.ts'

/** Shows the broker's counts at `/metrics`; they are read when somebody asks. */
export function exposeCounts(register: Operations['register'], counts: BrokerCounts): void {
  const { now, total, labelled } = onRequest(register)
  now('connections', 'Connections that are open', () => counts.open)
  now('handshakes', 'Connections that have not proven who they are yet', () => counts.handshakes)
  now('addresses', 'Addresses that the accept guard remembers', () => counts.addresses)
  total('admitted', 'CONNECTs admitted', () => counts.admitted)
  total('published', 'Messages accepted from clients', () => counts.published)
  total('published_bytes', 'Payload of messages accepted from clients', () => counts.publishedBytes)
  total('delivered', 'Messages handed to clients', () => counts.delivered)
  total('delivered_bytes', 'Payload of messages handed to clients', () => counts.deliveredBytes)
  labelled('refused', 'Connections refused', ['reason'], () => counts.refused)
  labelled(
    'denied',
    'Publishes, subscriptions and deliveries denied',
    ['action', 'reason'],
    () => counts.denied,
  )
  labelled('held_back', 'Times that a client was not read for a while', ['limit'], () => counts.heldBack)
  labelled('ended', 'Sessions ended by the broker', ['reason'], () => counts.ended)
  labelled('tls', 'TLS sessions admitted', ['version', 'group', 'handshake'], () => counts.tls)
}
