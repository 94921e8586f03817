import type { Redis } from 'ioredis'
import { openConnection } from './connection.ts'
import type { RedisAddress } from './redis-setting.ts'
import { askRun } from './server-run.ts'

/** The connections of a node: one for commands, and one on which the log is waited for. They must lead to the same Redis. */
export class Connections {
  readonly main: Redis
  readonly log: Redis
  readonly #down: Set<Redis>
  /** Those that are being closed here. */
  readonly #left = new Set<Redis>()
  #logRun: Promise<string> | undefined

  /** `onHealth` hears that one is there (undefined), or why it is not, unless it was left. */
  constructor(address: RedisAddress, onHealth: (failure: Error | undefined) => void) {
    const open = (name: string): Redis => {
      const connection = openConnection({
        address,
        name,
        onHealth: (failure) => this.#note(connection, failure, onHealth),
      })
      return connection
    }
    this.main = open('fleetroot-broker')
    this.log = open('fleetroot-broker-log')
    this.#down = new Set([this.main, this.log])
  }

  /** Can both be used? */
  get areUp(): boolean {
    return this.#down.size === 0
  }

  /** `askRun` of the one on which the log is read, asked when it was made: it is waiting most of the time. */
  get logRun(): Promise<string> | undefined {
    return this.#logRun
  }

  /** Leaves what answers now; they connect again by themselves. */
  leave(): void {
    for (const connection of [this.main, this.log]) {
      if (this.#down.has(connection)) continue
      this.#down.add(connection)
      this.#left.add(connection)
      connection.disconnect(true)
    }
  }

  close(): void {
    for (const connection of [this.main, this.log]) connection.disconnect()
  }

  #note(connection: Redis, failure: Error | undefined, onHealth: (failure: Error | undefined) => void): void {
    if (failure === undefined) {
      this.#down.delete(connection)
      if (connection === this.log) {
        this.#logRun = askRun(connection)
        this.#logRun.catch(() => undefined)
      }
      return onHealth(undefined)
    }
    this.#down.add(connection)
    // Why it was left is known.
    if (!this.#left.delete(connection)) onHealth(failure)
  }
}
