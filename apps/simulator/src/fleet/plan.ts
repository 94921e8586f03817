import type { KeyAlgorithm } from '@fleetroot/pki'

/** What a run is to be. */
export interface Plan {
  /** Random; tells the messages of this run from those of others at the same broker. */
  readonly run: string
  readonly idPrefix: string
  readonly seed: number
  readonly messagesPerSecond: number
  readonly arrivalsPerSecond: number
  /** Enrollments, and connections, under way at once. */
  readonly concurrency: number
  readonly keyAlgorithm: KeyAlgorithm
  /** How long to publish once all devices have arrived, in milliseconds; undefined: until stopped. */
  readonly durationMs: number | undefined
  /** How long to wait at the end for what is under way, in milliseconds. */
  readonly settleMs: number
  readonly enrollmentUrl: string
  readonly brokerUrl: string
}
