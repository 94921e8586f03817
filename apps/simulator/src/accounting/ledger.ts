import { type SequenceSet, createSequenceSet } from './sequence-set.ts'

/** What became of the messages of a run. */
export interface LedgerCounts {
  /** Handed to a device's connection. */
  readonly published: number
  /** PUBACK received from the broker. */
  readonly acknowledged: number
  /** Arrived at the subscriber, each message counted once. */
  readonly delivered: number
  /** Acknowledged and, so far, not delivered. What is left of these at the end of a run is lost. */
  readonly undelivered: number
  /** Arrivals beyond the first of their message; QoS 1 allows them. */
  readonly duplicated: number
}

/** One message that was acknowledged and never arrived. */
export interface LostMessage {
  readonly device: string
  readonly sequence: number
}

/** Follows every message of a run from its device to the subscriber, by device and sequence number. */
export interface Ledger {
  /** Records that `device` publishes `sequence`, which was due at `dueAt` (milliseconds of the run's clock). */
  published(device: string, sequence: number, dueAt: number): void
  acknowledged(device: string, sequence: number): void
  /**
   * Records an arrival. `first` carries the time at which the message was due; `unknown` means that no
   * device of this run published it, which no honest broker can deliver.
   */
  delivered(device: string, sequence: number): Arrival
  counts(): LedgerCounts
  /** Messages that are published and not yet both acknowledged and delivered. */
  readonly unsettled: number
  /** Devices with at least one acknowledged message. */
  readonly devicesAcknowledged: number
  /** Acknowledged messages that have not arrived, at most `limit`. */
  undelivered(limit: number): LostMessage[]
}

/** What an arrival at the subscriber was. */
export type Arrival = { kind: 'first'; dueAt: number } | { kind: 'duplicate' } | { kind: 'unknown' }

interface Account {
  published: number
  acknowledged: SequenceSet
  delivered: SequenceSet
  /** Due time of what has not arrived yet. */
  due: Map<number, number>
}

/** An empty ledger. Each device must number its messages 1, 2, 3, … */
export function createLedger(): Ledger {
  const accounts = new Map<string, Account>()
  let published = 0
  let acknowledged = 0
  let delivered = 0
  let duplicated = 0
  let settled = 0
  let devicesAcknowledged = 0

  function open(device: string): Account {
    let account = accounts.get(device)
    if (account === undefined) {
      account = {
        published: 0,
        acknowledged: createSequenceSet(),
        delivered: createSequenceSet(),
        due: new Map(),
      }
      accounts.set(device, account)
    }
    return account
  }

  return {
    published(device, sequence, dueAt) {
      const account = open(device)
      account.published = sequence
      account.due.set(sequence, dueAt)
      published++
    },
    acknowledged(device, sequence) {
      const account = open(device)
      if (!account.acknowledged.add(sequence)) return
      if (account.acknowledged.size === 1) devicesAcknowledged++
      acknowledged++
      if (account.delivered.has(sequence)) settled++
    },
    delivered(device, sequence) {
      const account = accounts.get(device)
      if (account === undefined || sequence < 1 || sequence > account.published) return { kind: 'unknown' }
      if (!account.delivered.add(sequence)) {
        duplicated++
        return { kind: 'duplicate' }
      }
      delivered++
      if (account.acknowledged.has(sequence)) settled++
      const dueAt = account.due.get(sequence) ?? 0
      account.due.delete(sequence)
      return { kind: 'first', dueAt }
    },
    counts: () => ({ published, acknowledged, delivered, undelivered: acknowledged - settled, duplicated }),
    get unsettled() {
      return published - settled
    },
    get devicesAcknowledged() {
      return devicesAcknowledged
    },
    undelivered(limit) {
      const lost: LostMessage[] = []
      for (const [device, account] of accounts) {
        const missing = account.acknowledged.except(account.delivered, limit - lost.length)
        lost.push(...missing.map((sequence) => ({ device, sequence })))
        if (lost.length >= limit) break
      }
      return lost
    },
  }
}
