/** A value that others put to use, and that is replaced now and then. */
export class Current<Value> {
  #value: Value
  readonly #listeners = new Set<(value: Value) => void>()

  constructor(value: Value) {
    this.#value = value
  }

  get current(): Value {
    return this.#value
  }

  /** Puts another value in its place and tells everybody before it returns. */
  set(value: Value): void {
    this.#value = value
    for (const listener of this.#listeners) listener(value)
  }

  /** Hears of every value from now on. */
  subscribe(listener: (value: Value) => void): void {
    this.#listeners.add(listener)
  }
}
