import type { AdminAnswer, AdminRequest, AppContext, ProcessMetrics } from '@fleetroot/service'
import type { SerialNumber } from '@fleetroot/pki'
import type { Policy } from '@fleetroot/policy'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import type { Listening } from '../listener/open-listeners.ts'
import type { RevocationStep } from '../revocation/revocation.ts'
import type { settings } from '../settings.ts'
import type { PlainAuthorities } from './plain-authorities.ts'

/** A policy in force and where. */
export interface PolicyMessage {
  readonly listener: string | undefined
  readonly policy: Policy
}

/** All that a worker goes by when it begins. */
export interface Beginning {
  /** From 1. */
  readonly number: number
  readonly config: AppContext<typeof settings>['config']
  readonly policies: readonly PolicyMessage[]
  readonly authorities: PlainAuthorities
  readonly identity: KeyAndCertificate
  readonly ticketKeys: Uint8Array
  readonly revocation: readonly RevocationStep[]
  /** Ports that are taken already, by the name of the listener. */
  readonly ports: Readonly<Record<string, number>>
}

/** What a worker is asked, and what it answers. */
export interface Questions {
  /** What would its `/metrics` show? */
  readonly metrics: { readonly ask: undefined; readonly answer: ProcessMetrics }
  /** A request to one of `sessionRoutes`. */
  readonly sessions: {
    readonly ask: { readonly route: number; readonly request: AdminRequest }
    readonly answer: AdminAnswer
  }
  /** Is everything in force that was sent before? */
  readonly settled: { readonly ask: undefined; readonly answer: true }
}

/** From the supervising process; each is in force when the next one is read. */
export type ToWorker =
  | { readonly kind: 'begin'; readonly beginning: Beginning }
  | { readonly kind: 'policy'; readonly change: PolicyMessage }
  | { readonly kind: 'authorities'; readonly authorities: PlainAuthorities }
  | { readonly kind: 'identity'; readonly identity: KeyAndCertificate }
  | { readonly kind: 'ticket-keys'; readonly keys: Uint8Array }
  | { readonly kind: 'revocation'; readonly step: RevocationStep }
  | {
      readonly kind: 'ask'
      readonly number: number
      readonly what: keyof Questions
      readonly ask: Questions[keyof Questions]['ask']
    }
  | { readonly kind: 'stop' }

/** Why a worker cannot start: what Node's errors and our own say, as plain values. */
export interface Failure {
  readonly message: string
  readonly code?: unknown
  readonly syscall?: unknown
  readonly address?: unknown
  readonly port?: unknown
  readonly path?: unknown
}

/** To the supervising process. */
export type FromWorker =
  | { readonly kind: 'hello' }
  | { readonly kind: 'listening'; readonly listening: readonly Listening[] }
  | { readonly kind: 'readiness'; readonly check: string; readonly reason: string | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure }
  /** A session of this certificate has begun. */
  | { readonly kind: 'connected'; readonly serial: SerialNumber }
  | {
      readonly kind: 'answer'
      readonly number: number
      readonly answer: Questions[keyof Questions]['answer']
    }

/** An error as it was before it went to another process, for `runApp` to explain. */
export function failureOf(error: unknown): Failure {
  const { message, code, syscall, address, port, path } = error as Failure
  return { message: message ?? String(error), code, syscall, address, port, path }
}
