import { afterEach, beforeAll } from 'vitest'

import type { DeviceClientError } from '../error.ts'
import { connectMqtt } from '../mqtt/connect.ts'
import type { DeviceConnection } from '../mqtt/connection.ts'
import type { MqttOptions } from '../mqtt/options.ts'
import { type Authority, createAuthority, type Leaf } from './authority.ts'
import { type MqttPeer, startMqttPeer } from './mqtt-peer.ts'

/** What tests of a connection share: an authority, the device dev-1, and all closed after each test. */
export interface MqttBench {
  authority: Authority
  device: Leaf
  startPeer(options?: Parameters<typeof startMqttPeer>[1]): Promise<MqttPeer>
  /** Connects dev-1; it reconnects at once unless `options` has a back-off. */
  connect(peer: MqttPeer, options?: Partial<MqttOptions>): Promise<DeviceConnection>
}

/** To be called once, at the top of a test file. */
export function mqttBench(): MqttBench {
  const cleanUp: (() => unknown)[] = []

  beforeAll(async () => {
    bench.authority = await createAuthority()
    bench.device = await bench.authority.device('dev-1')
  })

  afterEach(async () => {
    for (const close of cleanUp.splice(0).toReversed()) await close()
  })

  const bench: Partial<MqttBench> & Pick<MqttBench, 'startPeer' | 'connect'> = {
    async startPeer(options) {
      const peer = await startMqttPeer(ready.authority, options)
      cleanUp.push(async () => peer.close())
      return peer
    },
    async connect(peer, options = {}) {
      const { trust } = ready.authority
      const connection = await connectMqtt({
        url: peer.url,
        trust,
        identity: ready.device,
        backoff: () => 0,
        ...options,
      })
      cleanUp.push(async () => connection.close({ timeoutMs: 0 }))
      return connection
    },
  }
  // Filled by beforeAll, before any test can read it.
  const ready = bench as MqttBench
  return ready
}

/** The code with which a promise fails. */
export async function codeOf(failing: Promise<unknown>): Promise<string> {
  return failing.then(
    () => 'no failure',
    (error: DeviceClientError) => error.code,
  )
}

/** Payloads of all PUBLISHes that arrived, in order. */
export function payloads(peer: MqttPeer): string[] {
  return peer.publishes().map(({ payload }) => payload.toString())
}
