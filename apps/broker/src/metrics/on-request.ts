import { Counter, Gauge, type Operations } from '@fleetroot/service'

/** Makes metrics of the broker whose values are read when somebody asks for `/metrics`; names without prefix and `_total`. */
export interface OnRequest {
  /** What is so now. `aggregator` says what several workers make of theirs: `sum`, which is the default, or `max`. */
  readonly now: (name: string, help: string, read: () => number, aggregator?: 'sum' | 'max') => void
  /** What only grows. */
  readonly total: (name: string, help: string, read: () => number) => void
  /** The same by labels: the keys are their values, with spaces between them. */
  readonly labelled: (
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => ReadonlyMap<string, number>,
  ) => void
}

export function onRequest(register: Operations['register']): OnRequest {
  return {
    now: (name, help, read, aggregator = 'sum') => {
      const gauge = new Gauge({
        aggregator,
        name: `fleetroot_broker_${name}`,
        help,
        registers: [],
        collect() {
          this.set(read())
        },
      })
      register.registerMetric(gauge)
    },
    total: (name, help, read) => {
      const counter = new Counter({
        name: `fleetroot_broker_${name}_total`,
        help,
        registers: [],
        collect() {
          this.reset()
          this.inc(read())
        },
      })
      register.registerMetric(counter)
    },
    labelled: (name, help, labelNames, read) => {
      const counter = new Counter({
        name: `fleetroot_broker_${name}_total`,
        help,
        labelNames,
        registers: [],
        collect() {
          this.reset()
          for (const [key, value] of read()) {
            const values = key.split(' ')
            this.inc(Object.fromEntries(labelNames.map((label, i) => [label, values[i] ?? ''])), value)
          }
        },
      })
      register.registerMetric(counter)
    },
  }
}
