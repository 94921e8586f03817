import { DeviceClientError } from '../error.ts'
import type { QoS } from './message.ts'

/** How much may wait for the broker. */
export interface OutboxLimits {
  /** Messages, in flight and waiting. */
  maxMessages: number
  /** Topic and payload bytes of all of them. */
  maxBytes: number
  /** QoS 1 messages sent and not yet acknowledged. */
  maxInFlight: number
}

/** A message on its way out. */
export interface Publication {
  readonly topic: string
  readonly payload: string | Uint8Array
  readonly qos: QoS
  readonly retain: boolean
  readonly bytes: number
  /** 0 until it is sent for the first time. */
  packetId: number
  /** How often it was sent; above 0 the next PUBLISH carries DUP [MQTT-3.3.1-1]. */
  sends: number
  /** Resolves or rejects the caller's promise; later calls do nothing. */
  settle: (error?: DeviceClientError) => void
  /** The caller's promise is settled: nothing is to be sent any more. */
  settled: boolean
}

/**
 * The messages that the broker has not acknowledged, in the order of `add`. When it is full the oldest one
 * that was not sent yet makes room: the newest reading of a sensor is worth more than the oldest.
 */
export class Outbox {
  readonly #limits: OutboxLimits
  readonly #onDropped: (dropped: Publication) => void
  readonly #inFlight = new Set<Publication>()
  #waiting: Publication[] = []
  #bytes = 0
  #watchers: { isDone: () => boolean; tell: () => void }[] = []

  constructor(limits: OutboxLimits, onDropped: (dropped: Publication) => void) {
    this.#limits = limits
    this.#onDropped = onDropped
  }

  get inFlight(): number {
    return this.#inFlight.size
  }

  get size(): number {
    return this.#inFlight.size + this.#waiting.length
  }

  /** Packet identifiers that are taken. */
  *packetIds(): Iterable<number> {
    for (const { packetId } of this.#inFlight) yield packetId
    for (const { packetId } of this.#waiting) if (packetId > 0) yield packetId
  }

  /** Takes a message in, dropping the oldest unsent ones for it; rejects it if only sent ones are left to drop. */
  add(publication: Publication): void {
    while (this.size >= this.#limits.maxMessages || this.#bytes + publication.bytes > this.#limits.maxBytes) {
      // Those that were sent before and wait for the connection may be at the broker already.
      const at = this.#waiting.findIndex(({ sends }) => sends === 0)
      const [oldest] = at < 0 ? [] : this.#waiting.splice(at, 1)
      if (oldest === undefined) {
        this.#drop(publication)
        return
      }
      this.#bytes -= oldest.bytes
      this.#drop(oldest)
    }
    this.#waiting.push(publication)
    this.#bytes += publication.bytes
  }

  /** The next message to send, now in flight; undefined if there is none or the window is full. */
  next(): Publication | undefined {
    if (this.#inFlight.size >= this.#limits.maxInFlight) return undefined
    const publication = this.#waiting.shift()
    if (publication) this.#inFlight.add(publication)
    return publication
  }

  /** The broker has it (QoS 1), or the socket took it (QoS 0). */
  acknowledge(publication: Publication): void {
    if (!this.#inFlight.delete(publication)) return
    this.#bytes -= publication.bytes
    publication.settle()
    this.#tellWatchers()
  }

  /** The connection is gone: what was in flight is first in line again, in its order; QoS 0 is never repeated. */
  requeue(lost: DeviceClientError): void {
    const again: Publication[] = []
    for (const publication of this.#inFlight) {
      if (publication.qos === 0) publication.settle(lost)
      if (publication.settled) this.#bytes -= publication.bytes
      else again.push(publication)
    }
    this.#inFlight.clear()
    this.#waiting = [...again, ...this.#waiting]
    this.#tellWatchers()
  }

  /** Forgets a message whose caller gave up, unless it is in flight: its acknowledgement is still to come. */
  forget(publication: Publication): void {
    const at = this.#waiting.indexOf(publication)
    if (at < 0) return
    this.#waiting.splice(at, 1)
    this.#bytes -= publication.bytes
    this.#tellWatchers()
  }

  /** Rejects everything that is left and says how much that was. */
  abandon(error: DeviceClientError): number {
    const left = [...this.#inFlight, ...this.#waiting].filter(({ settled }) => !settled)
    this.#inFlight.clear()
    this.#waiting = []
    this.#bytes = 0
    for (const publication of left) publication.settle(error)
    this.#tellWatchers()
    return left.length
  }

  /** Resolves when nothing is in flight, or after `timeoutMs`. */
  async quiet(timeoutMs: number): Promise<void> {
    await this.#until(() => this.#inFlight.size === 0, timeoutMs)
  }

  /** Resolves when nothing is left, or after `timeoutMs`. */
  async empty(timeoutMs: number): Promise<void> {
    await this.#until(() => this.size === 0, timeoutMs)
  }

  async #until(isDone: () => boolean, timeoutMs: number): Promise<void> {
    if (isDone()) return
    await new Promise<void>((resolve) => {
      const watcher = {
        isDone,
        tell: () => {
          clearTimeout(timer)
          this.#watchers = this.#watchers.filter((other) => other !== watcher)
          resolve()
        },
      }
      const timer = setTimeout(watcher.tell, timeoutMs)
      this.#watchers.push(watcher)
    })
  }

  #tellWatchers(): void {
    for (const watcher of this.#watchers) if (watcher.isDone()) watcher.tell()
  }

  #drop(publication: Publication): void {
    publication.settle(
      new DeviceClientError(
        'publish-dropped',
        `the outbox is full: the message for ${publication.topic} was dropped`,
      ),
    )
    this.#onDropped(publication)
  }
}
