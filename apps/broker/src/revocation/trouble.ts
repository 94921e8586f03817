import type { Logger } from '@fleetroot/service'
import type { BrokerError } from '../error.ts'

/** What is followed: the event stream, the lists, and the CAs whose lists they are. */
export type Followed = 'stream' | 'lists' | 'authorities'

/** Servers that are restarted together do not find each other for this long, and nobody has to look into it. */
const patienceMs = 10_000

interface Known {
  readonly code: string
  readonly timer?: NodeJS.Timeout
}

/**
 * Logs trouble when it begins, changes or is over, not each time that it is met again: at `info` at first, and at
 * `warn` when it lasts. Whoever was warned hears that it is over at the same level.
 */
export class Trouble {
  readonly #log: Logger
  readonly #known = new Map<Followed, Known>()

  constructor(log: Logger) {
    this.#log = log
  }

  met(what: Followed, { code, message }: BrokerError): void {
    const known = this.#known.get(what)
    if (known?.code === code) return
    const about = { reason: code, detail: message }
    const sentence = `revocation ${what}: no contact`
    if (known !== undefined && known.timer === undefined) {
      this.#known.set(what, { code })
      this.#log.warn(about, sentence)
      return
    }
    clearTimeout(known?.timer)
    this.#log.info(about, sentence)
    const warn = (): void => {
      this.#known.set(what, { code })
      this.#log.warn(about, `${sentence} for ${patienceMs / 1000} s`)
    }
    this.#known.set(what, { code, timer: setTimeout(warn, patienceMs).unref() })
  }

  over(what: Followed, sentence: string): void {
    const known = this.#known.get(what)
    if (known === undefined) return
    this.#known.delete(what)
    clearTimeout(known.timer)
    this.#log[known.timer === undefined ? 'warn' : 'info'](sentence)
  }

  close(): void {
    for (const { timer } of this.#known.values()) clearTimeout(timer)
  }
}
