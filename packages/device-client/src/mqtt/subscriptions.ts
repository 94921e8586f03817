import { DeviceClientError } from '../error.ts'
import type { QoS } from './message.ts'
import type { Session } from './session.ts'

interface Subscription {
  readonly qos: QoS
  /** The broker has it in the current MQTT session. */
  granted: boolean
  waiters: { resolve: (granted: number) => void; reject: (error: unknown) => void }[]
}

/** The topic filters a device wants, kept across connections. */
export class Subscriptions {
  readonly #wanted = new Map<string, Subscription>()
  readonly #onRefused: (error: DeviceClientError) => void

  /** `onRefused` hears of a filter that was granted before and is refused on a later connection. */
  constructor(onRefused: (error: DeviceClientError) => void) {
    this.#onRefused = onRefused
  }

  /** Asks for `filter` now, or on the next connection; resolves with the granted QoS. */
  async add(filter: string, qos: QoS, session: Session | undefined): Promise<number> {
    const subscription: Subscription = { qos, granted: false, waiters: [] }
    this.#wanted.set(filter, subscription)
    const granted = new Promise<number>((resolve, reject) => subscription.waiters.push({ resolve, reject }))
    if (session) void this.#ask(filter, subscription, session)
    return granted
  }

  /** Wants `filter` no more. */
  remove(filter: string): boolean {
    const subscription = this.#wanted.get(filter)
    const gone = new DeviceClientError(
      'subscribe-refused',
      `unsubscribed from ${filter} before the broker answered`,
    )
    for (const { reject } of subscription?.waiters ?? []) reject(gone)
    return this.#wanted.delete(filter)
  }

  /** A new connection: asks again for what its MQTT session does not hold. */
  restore(session: Session): void {
    for (const [filter, subscription] of this.#wanted) {
      if (!session.sessionPresent) subscription.granted = false
      if (!subscription.granted) void this.#ask(filter, subscription, session)
    }
  }

  /** Rejects whoever still waits. */
  abandon(error: DeviceClientError): void {
    for (const { waiters } of this.#wanted.values()) for (const { reject } of waiters) reject(error)
    this.#wanted.clear()
  }

  async #ask(filter: string, subscription: Subscription, session: Session): Promise<void> {
    try {
      const granted = await session.subscribe(filter, subscription.qos)
      subscription.granted = true
      for (const { resolve } of subscription.waiters.splice(0)) resolve(granted)
    } catch (error) {
      // A lost connection answers nothing: the next one asks again.
      if (!(error instanceof DeviceClientError) || error.code === 'connection-lost') return
      if (this.#wanted.get(filter) === subscription) this.#wanted.delete(filter)
      const waiters = subscription.waiters.splice(0)
      if (waiters.length === 0) this.#onRefused(error)
      for (const { reject } of waiters) reject(error)
    }
  }
}
