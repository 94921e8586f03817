import { type FailureList, createFailureList } from './failures.ts'
import { type LatencyRecorder, type Percentiles, createLatencyRecorder } from './latency.ts'
import { type Ledger, type LedgerCounts, createLedger } from './ledger.ts'

/** Everything that a run counts. Whoever does the work increments; views and the report read. */
export interface Census {
  readonly devices: number
  /** Devices that the enrollment server did not know before. */
  registered: number
  /** Devices that got a certificate in this run. */
  enrolled: number
  /** Devices that came with the identity of an earlier run. */
  reused: number
  /** Certificates that were replaced by a new one while their device was connected. */
  renewed: number
  /** Devices whose certificate expired, and whose server renews it no more. */
  exhausted: number
  /** Devices that were connected at least once. */
  connected: number
  /** Connections that are open now. */
  online: number
  /** Enrollments, connections and subscriptions that a server said no to. */
  refused: number
  /** Arrivals at the subscriber that no device of this run published under its own name. */
  unexpected: number
  readonly commands: { sent: number; answered: number }
  /** Connections by TLS session, as `TLSv1.3 X25519MLKEM768`. */
  readonly tls: Map<string, number>
  readonly ledger: Ledger
  readonly failures: FailureList
  readonly enroll: LatencyRecorder
  readonly connect: LatencyRecorder
  readonly delivery: LatencyRecorder
}

/** A census of `devices` devices in which nothing has happened. */
export function createCensus(devices: number): Census {
  return {
    devices,
    registered: 0,
    enrolled: 0,
    reused: 0,
    renewed: 0,
    exhausted: 0,
    connected: 0,
    online: 0,
    refused: 0,
    unexpected: 0,
    commands: { sent: 0, answered: 0 },
    tls: new Map(),
    ledger: createLedger(),
    failures: createFailureList(),
    enroll: createLatencyRecorder(),
    connect: createLatencyRecorder(),
    delivery: createLatencyRecorder(),
  }
}

/** Which part of a run is on. */
export type RunPhase = 'register' | 'arrive' | 'publish' | 'settle'

/** What a view shows at one moment. */
export interface Snapshot {
  readonly phase: RunPhase
  /** Milliseconds since the run began, and since publishing began. */
  readonly elapsedMs: number
  readonly publishingMs: number
  /** How long publishing goes on; undefined until somebody stops it. */
  readonly durationMs: number | undefined
  readonly devices: number
  readonly enrolled: number
  readonly reused: number
  readonly renewed: number
  readonly connected: number
  readonly online: number
  readonly refused: number
  readonly messages: LedgerCounts
  readonly inFlight: number
  readonly enrollMs: Percentiles
  readonly connectMs: Percentiles
  readonly deliveryMs: Percentiles
  readonly errors: number
  /** The most frequent error, for people. */
  readonly lastError: string | undefined
}

/** The census at this moment. */
export function snapshot(
  census: Census,
  moment: Pick<Snapshot, 'phase' | 'elapsedMs' | 'publishingMs' | 'durationMs'>,
): Snapshot {
  return {
    ...moment,
    devices: census.devices,
    enrolled: census.enrolled,
    reused: census.reused,
    renewed: census.renewed,
    connected: census.connected,
    online: census.online,
    refused: census.refused,
    messages: census.ledger.counts(),
    inFlight: census.ledger.unsettled,
    enrollMs: census.enroll.percentiles(),
    connectMs: census.connect.percentiles(),
    deliveryMs: census.delivery.percentiles(),
    errors: census.failures.total,
    lastError: census.failures.byCode()[0]?.message,
  }
}
