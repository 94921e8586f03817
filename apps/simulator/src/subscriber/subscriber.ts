import { randomUUID } from 'node:crypto'
import { type DeviceConnection, connectMqtt, type Trust } from '@fleetroot/device-client'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import { describeThrown } from '../accounting/failures.ts'
import { SimulatorError } from '../error.ts'
import type { Arrived } from './inbox.ts'

/** The service side of the fleet: hears everything below `devices/` and sends commands. */
export interface Subscriber {
  readonly online: boolean
  /** Hands over every message from now on. */
  onMessage(handler: (message: Arrived) => void): void
  publish(topic: string, payload: string): Promise<void>
  /** Changes to another certificate, if the broker takes it; rejects with the reason if it does not. */
  replaceIdentity(identity: KeyAndCertificate): Promise<void>
  /** Ends the subscription and leaves nothing of it at the broker. */
  close(): Promise<void>
}

/** How the subscriber reaches the broker. */
export interface SubscriberOptions {
  readonly url: string
  readonly trust: Trust
  /** Looks whether there are other trust anchors. */
  readonly refreshTrust: () => Promise<unknown>
  /** The `service` certificate with the id `simulator`. */
  readonly identity: KeyAndCertificate
  /** A connection that was lost, or a subscription refused on a later one. */
  readonly onTrouble: (code: string, message: string) => void
  readonly signal: AbortSignal
}

/**
 * Connects and subscribes `devices/#` at QoS 1. The session is kept at the broker while the connection is
 * down: what is acknowledged to a device in that time must still arrive. The client id is of this run
 * (`simulator.<random>`), since several simulators may count at one broker with one certificate.
 *
 * Throws SimulatorError `subscriber-failed`.
 */
export async function openSubscriber(options: SubscriberOptions): Promise<Subscriber> {
  const { url, trust, refreshTrust, identity, signal } = options
  const clientId = `simulator.${randomUUID().slice(0, 8)}`
  const mqtt = { url, trust, refreshTrust, clientId, firstConnection: 'once' as const }
  let inUse = identity

  let connection: DeviceConnection | undefined
  try {
    connection = await connectMqtt({ ...mqtt, identity, clean: false, signal })
    connection.on('offline', (reason) => {
      if (reason !== undefined)
        options.onTrouble(reason.code, `the subscriber lost its connection: ${reason.message}`)
    })
    connection.on('problem', (problem) => options.onTrouble(problem.code, problem.message))
    await connection.subscribe('devices/#', { qos: 1 })
  } catch (thrown) {
    await connection?.close({ timeoutMs: 0 })
    const { message } = describeThrown(thrown)
    throw new SimulatorError(
      'subscriber-failed',
      `the counting subscriber cannot connect to ${url}: ${message}`,
      {
        cause: thrown,
      },
    )
  }
  const subscribed = connection

  return {
    get online() {
      return subscribed.online
    },
    onMessage: (handler) => void subscribed.onMessage(handler),
    publish: (topic, payload) => subscribed.publish(topic, payload),
    async replaceIdentity(next) {
      await subscribed.replaceIdentity(next)
      inUse = next
    },
    async close() {
      const wasOnline = subscribed.online
      await subscribed.close({ timeoutMs: 500 })
      // A clean session of the same client id is how MQTT 3.1.1 discards a kept one [MQTT-3.1.2-6].
      if (!wasOnline) return
      const last = await connectMqtt({ ...mqtt, identity: inUse, clean: true }).catch(() => undefined)
      await last?.close({ timeoutMs: 0 })
    },
  }
}
