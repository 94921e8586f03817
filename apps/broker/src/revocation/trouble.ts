import type { Logger } from '@fleetroot/service'
import type { BrokerError } from '../error.ts'

/** What is followed: the event stream, the lists, and the CAs whose lists they are. */
export type Followed = 'stream' | 'lists' | 'authorities'

/** Logs trouble when it begins, changes or is over, not each time that it is met again. */
export class Trouble {
  readonly #log: Logger
  readonly #known = new Map<string, string>()

  constructor(log: Logger) {
    this.#log = log
  }

  met(what: Followed, { code, message }: BrokerError): void {
    if (this.#known.get(what) === code) return
    this.#known.set(what, code)
    this.#log.warn({ reason: code, detail: message }, `revocation ${what}: no contact`)
  }

  over(what: Followed, sentence: string): void {
    if (this.#known.delete(what)) this.#log.info(sentence)
  }
}
