import { setTimeout as delay } from 'node:timers/promises'
import type { IdentityRefusalCode } from '../guard/identity-guard.ts'
import { measures } from '../guard/inbound-meter.ts'
import type { SharedBudget } from '../guard/shared-budget.ts'
import type { RedisNode } from './node.ts'

/** A count of connections that nobody has confirmed for so long is forgotten: its identity is gone, and its node. */
const forgottenMs = 24 * 3_600_000
const confirmEveryMs = 6 * 3_600_000
const retryMs = 2_000

/** The budget of identities over all nodes that share a Redis, each asked for in one round trip. */
export class RedisBudget implements SharedBudget {
  readonly #node: RedisNode
  /** Connections here, where there are any. */
  readonly #open = new Map<string, number>()
  readonly #confirming: NodeJS.Timeout
  /** Counts that could not be told. */
  readonly #untold = new Set<string>()
  #isRetrying = false

  constructor(node: RedisNode) {
    this.#node = node
    this.#confirming = setInterval(() => void this.#confirm(), confirmEveryMs)
    this.#confirming.unref()
  }

  readonly enter: SharedBudget['enter'] = async (name, open, { maxConnections, connectRate }) => {
    this.#open.set(name, open)
    const { perSecond, burst } = connectRate
    const args = [name, open, maxConnections, perSecond, burst, forgottenMs]
    const refusal = String(await this.#node.run('enter', args))
    return refusal === '' ? undefined : (refusal as IdentityRefusalCode)
  }

  readonly setOpen: SharedBudget['setOpen'] = (name, open) => {
    if (open > 0) this.#open.set(name, open)
    else this.#open.delete(name)
    void this.#tell(name)
  }

  readonly settle: SharedBudget['settle'] = async (name, used, rates) => {
    const args: (string | number)[] = [name]
    for (const [what] of measures) args.push(what, used[what], rates[what].perSecond)
    const [messages, bytes, filters] = ((await this.#node.run('settle', args)) as Buffer[]).map(Number)
    return { messages: messages!, bytes: bytes!, filters: filters! }
  }

  close(): void {
    clearInterval(this.#confirming)
    this.#untold.clear()
  }

  async #tell(name: string): Promise<void> {
    try {
      await this.#node.run('open', [name, this.#open.get(name) ?? 0, forgottenMs])
    } catch {
      this.#untold.add(name)
      void this.#retry()
    }
  }

  /** What is told late is what is true then. */
  async #retry(): Promise<void> {
    if (this.#isRetrying) return
    this.#isRetrying = true
    while (this.#untold.size > 0) {
      await delay(retryMs, undefined, { ref: false })
      if (this.#node.failure !== undefined) continue
      const names = [...this.#untold]
      this.#untold.clear()
      for (const name of names) await this.#tell(name)
    }
    this.#isRetrying = false
  }

  async #confirm(): Promise<void> {
    for (const name of this.#open.keys()) await this.#tell(name)
  }
}
