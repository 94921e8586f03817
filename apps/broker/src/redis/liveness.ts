/**
 * Which nodes show no sign of life: their sign, a number that they count on, has stayed the same for too long by a clock that runs only
 * while this node sees Redis. So nobody is declared dead because Redis was away.
 */
export class Liveness {
  readonly #timeoutMs: number
  readonly #seen = new Map<string, { readonly sign: string; readonly sinceMs: number }>()

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** Looks at the signs of now; returns those of the dead. */
  dead(signs: ReadonlyMap<string, string>, self: string, nowMs = performance.now()): [string, string][] {
    for (const node of this.#seen.keys()) if (!signs.has(node)) this.#seen.delete(node)
    return [...signs].filter(([node, sign]) => {
      const seen = this.#seen.get(node)
      if (seen?.sign !== sign) this.#seen.set(node, { sign, sinceMs: nowMs })
      return node !== self && seen?.sign === sign && nowMs - seen.sinceMs >= this.#timeoutMs
    })
  }

  /** Begins to look. */
  forget(): void {
    this.#seen.clear()
  }
}
