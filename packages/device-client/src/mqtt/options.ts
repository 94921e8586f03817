import type { KeyAndCertificate, ServerIdentity, TlsMode } from '@fleetroot/tls-config'

import type { Backoff } from '../retry/backoff.ts'
import type { Trust } from '../trust/anchors.ts'
import type { Will } from './message.ts'
import type { OutboxLimits } from './outbox.ts'

/** Options of `connectMqtt`. */
export interface MqttOptions {
  /** `mqtts://host[:8883]` or `wss://host[:443]/path`; there is no plaintext. */
  url: string
  /**
   * For the broker's certificate: PEM, pinned for good, or the anchors of `openTrustAnchors`, of which every new
   * connection uses those of now.
   */
  trust: Trust
  /**
   * Asked when the broker's certificate leads to no anchor that is held, as after a root was replaced while the
   * device was away: `() => est.refreshTrust()`. If the anchors are others after it, the connection is tried again at once.
   */
  refreshTrust?: () => Promise<unknown>
  /** Key and certificate of this device, as `IdentityStore.load` gives them. */
  identity: KeyAndCertificate
  /** Default: the certificate's device id, which is what the broker expects. */
  clientId?: string
  /** TLS 1.2 and 1.3 (`compatible`, the default) or 1.3 only. */
  mode?: TlsMode
  /** The name that the broker's certificate must be for. Default: the host of `url`. */
  serverName?: string
  /**
   * Whom the broker's certificate must name beside the host, such as `{ role: 'service', id: 'broker' }`, so that no other
   * service can pose as it. Left out: whoever has the name, because a fleet may have several brokers.
   */
  server?: ServerIdentity
  /** False keeps subscriptions and queued messages at the broker between connections. Default true. */
  clean?: boolean
  /** Default 60. The broker drops us after one and a half of it without a packet. */
  keepaliveSeconds?: number
  will?: Will
  /** For TLS, and again for CONNACK. Default 10,000. */
  connectTimeoutMs?: number
  /** A connection on which a PUBACK takes longer is given up and opened anew. Default 30,000. */
  ackTimeoutMs?: number
  /** Between two connections. Default `fullJitterBackoff()`: 0.5 s doubling to at most 60 s. */
  backoff?: Backoff
  /** Default 1,000 messages, 1 MiB, 64 in flight. */
  outbox?: Partial<OutboxLimits>
  /** Topic, payload and header; larger messages are refused here, before the broker hangs up. Default 128 KiB. */
  maxPacketBytes?: number
  /**
   * `once` (default): the first attempt decides. `retry`: as long as failures are of the kind that passes
   * (see `retryVerdict`).
   */
  firstConnection?: 'once' | 'retry'
  /** Gives up the first connection. Later, use `close`. */
  signal?: AbortSignal
}

/** Options of `DeviceConnection.publish`. */
export interface PublishOptions {
  /** Default 1. */
  qos?: 0 | 1
  retain?: boolean
  /** Gives up, in milliseconds from the call on; the message may arrive nevertheless if it was sent. Default: never. */
  timeoutMs?: number
}
