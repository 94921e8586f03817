import { DeviceClientError } from '../error.ts'

/**
 * Packet identifiers of one device, across its connections: an unacknowledged PUBLISH is sent again under the
 * identifier it had [MQTT-4.4.0-1], so identifiers cannot belong to one connection. The methods without a
 * comment are what MQTT.js asks of its `messageIdProvider`.
 */
export class PacketIds {
  readonly #used = new Set<number>()
  #last = 0
  #next: number | undefined

  /** A free identifier, 1 to 65,535. Throws DeviceClientError `publish-dropped` if all are in use. */
  take(): number {
    if (this.#used.size >= 65_535) {
      throw new DeviceClientError(
        'publish-dropped',
        'all 65,535 packet identifiers wait for their acknowledgement',
      )
    }
    do this.#last = (this.#last % 65_535) + 1
    while (this.#used.has(this.#last))
    this.#used.add(this.#last)
    return this.#last
  }

  /** Runs `send`, in which MQTT.js will allocate `id` instead of a new one. */
  using(id: number, send: () => void): void {
    this.#next = id
    try {
      send()
    } finally {
      this.#next = undefined
    }
  }

  /** Keeps only `ids`: a closed connection will not give back those of its open SUBSCRIBEs. */
  retain(ids: Iterable<number>): void {
    this.#used.clear()
    for (const id of ids) this.#used.add(id)
  }

  allocate(): number {
    const id = this.#next ?? this.take()
    this.#next = undefined
    this.#last = id
    return id
  }

  getLastAllocated(): number {
    return this.#last
  }

  register(id: number): boolean {
    this.#used.add(id)
    return true
  }

  deallocate(id: number): void {
    this.#used.delete(id)
  }

  /** MQTT.js clears on every CONNACK; what was published before must keep its identifier. */
  clear(): void {}
}
