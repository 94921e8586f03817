/** Why the store has given up a message that a session would still have received. */
export type DropReason = 'queue-messages' | 'queue-bytes' | 'store-bytes' | 'age' | 'session-expired'

/** What the store counts; plain numbers, shown to Prometheus when it asks. */
export class StoreCounts {
  /** Messages that wait for sessions, each counted for each session, and their bytes. */
  queued = 0
  queuedBytes = 0
  /** Sessions that outlive their connection. */
  sessions = 0
  retained = 0
  retainedBytes = 0
  /** Groups of changes made safe with one fsync each, and the changes in them. */
  groups = 0
  changes = 0
  /** Groups that could not be written. */
  failures = 0
  /** Is the store unable to keep anything now? */
  isFailing = false
  /** Messages dropped. */
  readonly dropped = new Map<DropReason, number>()

  drop(reason: DropReason, messages = 1): void {
    this.dropped.set(reason, (this.dropped.get(reason) ?? 0) + messages)
  }
}
