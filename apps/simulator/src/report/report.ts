import type { Census } from '../accounting/census.ts'
import type { Failure } from '../accounting/failures.ts'
import type { Percentiles } from '../accounting/latency.ts'
import type { LostMessage } from '../accounting/ledger.ts'
import { judge } from './verdict.ts'

/** The JSON report of a run. Names ending in `Ms` are milliseconds; latencies are measured from the intended time. */
export interface FleetReport {
  readonly ok: boolean
  /** Why `ok` is false; empty when it is true. */
  readonly reasons: readonly string[]
  readonly run: string
  readonly startedAt: string
  readonly seed: number
  /** From the first arrival until the last message was settled. */
  readonly durationMs: number
  /** What ended it: the duration given, or a signal. */
  readonly endedBy: 'duration' | 'signal'
  readonly devices: number
  readonly registered: number
  /** Certificates issued in this run; `enrolled + reused` is the number of devices with an identity. */
  readonly enrolled: number
  readonly reused: number
  /** Certificates that were replaced by a new one while their device was connected. */
  readonly renewed: number
  readonly connected: number
  readonly published: number
  readonly acknowledged: number
  readonly delivered: number
  /** Acknowledged and never delivered to the subscriber. */
  readonly lost: number
  readonly duplicated: number
  /** Enrollments, connections and subscriptions that a server said no to. */
  readonly refused: number
  readonly unexpected: number
  readonly commands: { readonly sent: number; readonly answered: number }
  readonly enrollMs: Percentiles
  readonly connectMs: Percentiles
  readonly deliveryMs: Percentiles
  /** Connections by TLS version and key exchange group. */
  readonly tls: Readonly<Record<string, number>>
  readonly keyAlgorithm: string
  readonly messagesPerSecond: number
  /** The first of the lost messages. */
  readonly lostMessages: readonly LostMessage[]
  /** The first of the errors; `errorsTotal` counts all. */
  readonly errors: readonly Failure[]
  readonly errorsTotal: number
  readonly versions: { readonly fleetroot: string; readonly node: string; readonly openssl: string }
}

/** What the report says beside the counts. */
export type RunFacts = Pick<
  FleetReport,
  'run' | 'startedAt' | 'seed' | 'durationMs' | 'endedBy' | 'keyAlgorithm' | 'messagesPerSecond' | 'versions'
>

/** The report of a run that is over. */
export function buildReport(census: Census, facts: RunFacts): FleetReport {
  const verdict = judge(census, facts.endedBy)
  const counts = census.ledger.counts()
  return {
    ok: verdict.ok,
    reasons: verdict.ok ? [] : verdict.reasons,
    run: facts.run,
    startedAt: facts.startedAt,
    seed: facts.seed,
    durationMs: Math.round(facts.durationMs),
    endedBy: facts.endedBy,
    devices: census.devices,
    registered: census.registered,
    enrolled: census.enrolled,
    reused: census.reused,
    renewed: census.renewed,
    connected: census.connected,
    published: counts.published,
    acknowledged: counts.acknowledged,
    delivered: counts.delivered,
    lost: counts.undelivered,
    duplicated: counts.duplicated,
    refused: census.refused,
    unexpected: census.unexpected,
    commands: { ...census.commands },
    enrollMs: census.enroll.percentiles(),
    connectMs: census.connect.percentiles(),
    deliveryMs: census.delivery.percentiles(),
    tls: Object.fromEntries(census.tls),
    keyAlgorithm: facts.keyAlgorithm,
    messagesPerSecond: facts.messagesPerSecond,
    lostMessages: census.ledger.undelivered(100),
    errors: census.failures.first(),
    errorsTotal: census.failures.total,
    versions: facts.versions,
  }
}
