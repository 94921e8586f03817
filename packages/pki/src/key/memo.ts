import type { KeyObject } from 'node:crypto'

/**
 * A slot for something that is found out once for a key and lives as long as its object. It is a property of the
 * object under a symbol of its own: a WeakMap of keys that live as long as one request costs the garbage collector
 * 20 µs for each.
 */
export function keyMemo<Value>(what: string): {
  get(key: KeyObject): Value | undefined
  set(key: KeyObject, value: Value): void
} {
  const slot = Symbol(what)
  type Remembering = KeyObject & { [slot]?: Value }
  return {
    get: (key: Remembering) => key[slot],
    set: (key: Remembering, value) => {
      key[slot] = value
    },
  }
}
