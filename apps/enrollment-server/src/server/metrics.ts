import { Counter, Gauge, Histogram, type Operations } from '@fleetroot/service'

/** A CRL that is served. */
export interface CrlFigures {
  /** Id of the CA. */
  readonly ca: string
  readonly number: bigint
  readonly entries: number
  readonly thisUpdate: Date
  readonly nextUpdate: Date
}

/** Event streams that are open, and how many events the slowest of them has not been sent. */
export interface StreamFigures {
  readonly open: number
  readonly behind: number
}

/** What happened to certificates. */
export type CertificateAction = 'issued' | 'renewed' | 'revoked' | 'held' | 'released'

/** What the server counts. docs/operations.md lists all of it; a test compares. */
export interface Metrics {
  readonly decided: (protocol: string, decision: string) => void
  readonly refusedAtGate: (code: string) => void
  readonly refused: (code: string) => void
  readonly certificates: (action: CertificateAction, count?: number) => void
  readonly credentialUsed: (kind: 'token' | 'claim') => void
  readonly ocspAnswered: (status: string, seconds: number) => void
  /** Where to read, whenever somebody asks, what is not counted. */
  readonly watchCrls: (read: () => readonly CrlFigures[], now: () => Date) => void
  readonly watchStreams: (read: () => StreamFigures) => void
}

/** Registers the server's own metrics with its operations listener. */
export function createMetrics(register: Operations['register']): Metrics {
  const registers = [register]
  const counter = (name: string, help: string, labelNames: string[]): Counter =>
    new Counter({ name: `fleetroot_enrollment_${name}_total`, help, labelNames, registers })
  const decisions = counter(
    'decisions',
    'Enrollment decisions by protocol: issued, repeated, or the code of the refusal',
    ['protocol', 'decision'],
  )
  const gateRefusals = counter('gate_refusals', 'Requests that the access gate refused, by code', ['code'])
  const refusals = counter('refusals', 'Requests that were refused, whatever refused them, by code', ['code'])
  const certificates = counter('certificates', 'Certificates by what happened to them', ['action'])
  const credentials = counter('credentials_used', 'One-time tokens and uses of claims, used up', ['kind'])
  // What has not happened yet is 0, so that the first time is seen as a rise.
  for (const action of actions) certificates.inc({ action }, 0)
  for (const kind of ['token', 'claim']) credentials.inc({ kind }, 0)
  const ocsp = new Histogram({
    name: 'fleetroot_enrollment_ocsp_answer_seconds',
    help: 'Time to answer an OCSP request, by the status in the answer',
    labelNames: ['status'],
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2],
    registers,
  })
  const gauge = (name: string, help: string, collect: (gauge: Gauge) => void, labelNames: string[] = []) =>
    new Gauge({
      name: `fleetroot_enrollment_${name}`,
      help,
      labelNames,
      registers,
      collect() {
        collect(this)
      },
    })
  return {
    decided: (protocol, decision) => decisions.inc({ protocol, decision }),
    refusedAtGate: (code) => gateRefusals.inc({ code }),
    refused: (code) => refusals.inc({ code }),
    certificates: (action, count = 1) => certificates.inc({ action }, count),
    credentialUsed: (kind) => credentials.inc({ kind }),
    ocspAnswered: (status, seconds) => ocsp.observe({ status }, seconds),
    watchCrls: (read, now) => {
      const figure = (name: string, help: string, value: (crl: CrlFigures) => number): void => {
        const collect = (shown: Gauge): void => {
          // A CA that is retired has no list any more.
          shown.reset()
          for (const crl of read()) shown.set({ ca: crl.ca }, value(crl))
        }
        gauge(`crl_${name}`, help, collect, ['ca'])
      }
      const secondsUntil = (date: Date): number => (date.getTime() - now().getTime()) / 1000
      figure('number', 'Number of the newest CRL', ({ number }) => Number(number))
      figure('entries', 'Certificates on the newest CRL', ({ entries }) => entries)
      figure('age_seconds', 'Time since the newest CRL was made', (crl) => -secondsUntil(crl.thisUpdate))
      figure('valid_seconds', 'Time until nextUpdate of the newest CRL', (crl) =>
        secondsUntil(crl.nextUpdate),
      )
    },
    watchStreams: (read) => {
      gauge('event_streams', 'Event streams that are open', (shown) => shown.set(read().open))
      gauge('event_streams_behind', 'Events that the slowest open stream has not been sent', (shown) =>
        shown.set(read().behind),
      )
    },
  }
}

const actions: readonly CertificateAction[] = ['issued', 'renewed', 'revoked', 'held', 'released']
