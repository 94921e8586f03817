/**
 * A map that forgets: never more than `maxKeys`, and those longest unused go first, half of them at a time. For what is
 * kept about strangers, of whom there may be any number; whoever is forgotten starts afresh, which is why there
 * are limits in total, too.
 *
 * Two generations and not one map in order of use: deleting from the front of a Map leaves holes that each look for
 * the next oldest has to step over, up to all of them.
 */
export class BoundedTable<Value> {
  readonly #perGeneration: number
  #young = new Map<string, Value>()
  #old = new Map<string, Value>()

  constructor(maxKeys: number) {
    this.#perGeneration = Math.ceil(maxKeys / 2)
  }

  /** At most how many keys are known: those that are in both generations count twice. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  get(key: string): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key)
  }

  set(key: string, value: Value): void {
    this.#young.set(key, value)
    if (this.#young.size >= this.#perGeneration) this.forget()
  }

  /** Forgets what has not been set since the last time. */
  forget(): void {
    this.#old = this.#young
    this.#young = new Map()
  }
}
