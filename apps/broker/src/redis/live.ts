import type { Redis } from 'ioredis'
import type { PeerMessage } from '../store/peers.ts'
import { decodeMessage, encodeMessage } from '../store/message.ts'
import { openConnection } from './connection.ts'
import type { RedisAddress } from './redis-setting.ts'

/** What the channel of messages that nobody keeps is made of. */
export interface LiveOptions {
  readonly address: RedisAddress
  /** The connection to publish on. */
  readonly main: Redis
  /** The name of this node, whose own messages are not told. */
  readonly self: () => string
  readonly onMessage: (message: PeerMessage) => void
}

/** How often the connection is asked whether anything would be heard on it; who has not answered by the next time is left. */
const askEveryMs = 2_000

/** Messages of quality of service 0, from each node to all others. Nobody waits for them, and what is lost with a connection is lost. */
export class Live {
  readonly #options: LiveOptions
  readonly #channel: string
  readonly #connection: Redis
  readonly #asking: NodeJS.Timeout
  #isDue = false

  constructor(options: LiveOptions) {
    const { address, self, onMessage } = options
    this.#options = options
    this.#channel = `${address.prefix}:live`
    const subscribe = (): void => void this.#connection.subscribe(this.#channel).catch(() => undefined)
    this.#connection = openConnection({
      address,
      name: 'fleetroot-broker-live',
      onHealth: (failure) => {
        if (failure === undefined) subscribe()
      },
    })
    this.#asking = setInterval(() => this.#ask(), askEveryMs)
    this.#asking.unref()
    this.#connection.on('messageBuffer', (_channel: Buffer, bytes: Buffer) => {
      const end = 1 + bytes[0]!
      if (bytes.toString('utf8', 1, end) === self()) return
      const { topic, payload } = decodeMessage(bytes, end)
      onMessage({ topic, payload, qos: 0, retain: false })
    })
  }

  send({ topic, payload }: Pick<PeerMessage, 'topic' | 'payload'>): void {
    const { main, self } = this.#options
    if (main.status !== 'ready') return
    const name = Buffer.from(self())
    const bytes = encodeMessage({ topic, payload, qos: 0, time: 0 }, 1 + name.length)
    bytes[0] = name.length
    name.copy(bytes, 1)
    main.publish(this.#channel, bytes).catch(() => undefined)
  }

  /** Another Redis may answer at the address by now. */
  reconnect(): void {
    this.#connection.disconnect(true)
  }

  close(): void {
    clearInterval(this.#asking)
    this.#connection.disconnect()
  }

  /** On a connection that only listens nobody notices by itself that the other end is gone. */
  #ask(): void {
    if (this.#connection.status !== 'ready') return
    if (this.#isDue) return this.reconnect()
    this.#isDue = true
    const answered = (): void => {
      this.#isDue = false
    }
    this.#connection.ping().then(answered, answered)
  }
}
