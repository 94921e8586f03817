/**
 * What the broker counts. Plain numbers, because a labelled counter per message would cost as much as the
 * policy decision; `exposeCounts` shows them to Prometheus when it asks.
 */
export class BrokerCounts {
  /** Connections that are open now, admitted or not yet. */
  open = 0
  /** Connections that are open and have not proven who they are. */
  handshakes = 0
  /** Addresses that the accept guard remembers. */
  addresses = 0
  /** CONNECTs admitted. */
  admitted = 0
  /** Messages accepted from clients, and their payload. */
  published = 0
  publishedBytes = 0
  /** Messages handed to clients, and their payload. */
  delivered = 0
  deliveredBytes = 0
  /** Connections refused, by reason. */
  readonly refused = new Map<string, number>()
  /** Publishes, subscriptions and deliveries denied, by `action reason`. */
  readonly denied = new Map<string, number>()
  /** Times that a client was not read for a while, by the limit that it had reached. */
  readonly heldBack = new Map<string, number>()
  /** Sessions ended by the broker, by reason. */
  readonly ended = new Map<string, number>()
  /** Admitted TLS sessions, by `version group resumed|full`. */
  readonly tls = new Map<string, number>()
}

/** Adds one to a labelled count. */
export function count(counts: Map<string, number>, label: string): void {
  counts.set(label, (counts.get(label) ?? 0) + 1)
}
