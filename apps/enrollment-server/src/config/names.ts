import { isIP } from 'node:net'

/** Sorts host names from addresses: `['localhost', '::1']` → `{ dns: ['localhost'], ip: ['::1'] }`. */
export function splitNames(names: readonly string[]): { dns: string[]; ip: string[] } {
  return {
    dns: names.filter((name) => isIP(name) === 0),
    ip: names.filter((name) => isIP(name) !== 0),
  }
}
