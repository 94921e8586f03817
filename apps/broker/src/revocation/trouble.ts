import type { Logger } from '@fleetroot/service'
import type { BrokerError } from '../error.ts'

/** Logs trouble when it begins, changes or is over, not each time that it is met again. */
export class Trouble {
  readonly #log: Logger
  readonly #known = new Map<string, string>()

  constructor(log: Logger) {
    this.#log = log
  }

  met(what: 'stream' | 'lists', { code, message }: BrokerError): void {
    if (this.#known.get(what) === code) return
    this.#known.set(what, code)
    this.#log.warn({ reason: code, detail: message }, `revocation ${what}: no contact`)
  }

  over(what: 'stream' | 'lists', sentence: string): void {
    if (this.#known.delete(what)) this.#log.info(sentence)
  }
}
