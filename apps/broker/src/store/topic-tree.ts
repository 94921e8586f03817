import { setImmediate as nextTurn } from 'node:timers/promises'

/** Steps of a search between two turns of the event loop; one takes well under a microsecond. */
const stepsPerTurn = 1_000

/** A level of a topic name, with what is at it and below it. */
interface Level<Value> {
  value: Value | undefined
  children: Map<string, Level<Value>> | undefined
}

/** Topic filters by their levels: all that begin alike share a node. */
interface Wanted {
  isEnd: boolean
  readonly below: Map<string, Wanted>
}

/** A level that a search has come to. */
interface Step<Value> {
  readonly level: Level<Value>
  /** Filters that match so far. */
  readonly wanted: readonly Wanted[]
  /** Below a `#`: all that is here matches. */
  readonly all: boolean
  readonly cost: number
}

/**
 * Values by topic name, found by topic filters (MQTT 3.1.1 section 4.7). A filter without wildcards costs its levels and
 * not the number of topics; wildcards cost what they could match, in slices between which others have their turn.
 */
export class TopicTree<Value> {
  readonly #root: Level<Value> = { value: undefined, children: undefined }

  set(topic: string, value: Value): void {
    let level = this.#root
    for (const name of topic.split('/')) {
      level.children ??= new Map()
      let child = level.children.get(name)
      if (child === undefined) level.children.set(name, (child = { value: undefined, children: undefined }))
      level = child
    }
    level.value = value
  }

  delete(topic: string): void {
    const names = topic.split('/')
    const path = [this.#root]
    for (const name of names) {
      const child = path.at(-1)!.children?.get(name)
      if (child === undefined) return
      path.push(child)
    }
    path.at(-1)!.value = undefined
    for (let depth = names.length; depth > 0; depth--) {
      const { value, children } = path[depth]!
      if (value !== undefined || (children !== undefined && children.size > 0)) return
      path[depth - 1]!.children!.delete(names[depth - 1]!)
    }
  }

  /** The values of all topics that one of the filters matches, each once; what changes meanwhile may be missed. */
  async *match(filters: readonly string[]): AsyncGenerator<Value, void, undefined> {
    const start: Step<Value> = { level: this.#root, wanted: [wantedBy(filters)], all: false, cost: 1 }
    const open: Iterator<Step<Value>>[] = [firstSteps(start)]
    let steps = 0
    while (open.length > 0) {
      const { done, value: step } = open.at(-1)!.next()
      if (done === true) {
        open.pop()
        continue
      }
      if ((steps += step.cost) > stepsPerTurn) {
        steps = 0
        await nextTurn()
      }
      const { level, wanted, all } = step
      const matches = all || wanted.some(({ isEnd, below }) => isEnd || below.has('#'))
      if (matches && level.value !== undefined) yield level.value
      if (level.children !== undefined && (all || wanted.length > 0)) open.push(nextSteps(step))
    }
  }
}

function wantedBy(filters: readonly string[]): Wanted {
  const root: Wanted = { isEnd: false, below: new Map() }
  for (const filter of filters) {
    let node = root
    for (const name of filter.split('/')) {
      let next = node.below.get(name)
      if (next === undefined) node.below.set(name, (next = { isEnd: false, below: new Map() }))
      node = next
    }
    node.isEnd = true
  }
  return root
}

/** From the root a wildcard does not lead to names that begin with `$` [MQTT-4.7.2-1]. */
function* firstSteps<Value>(root: Step<Value>): Generator<Step<Value>, void, undefined> {
  const named = root.wanted.map(({ below }) => ({ isEnd: false, below: withoutWildcards(below) }))
  for (const [name, level] of root.level.children ?? []) {
    yield stepTo(name, level, name.startsWith('$') ? { ...root, wanted: named } : root)
  }
}

function withoutWildcards(below: Map<string, Wanted>): Map<string, Wanted> {
  return new Map([...below].filter(([name]) => name !== '+' && name !== '#'))
}

function* nextSteps<Value>(from: Step<Value>): Generator<Step<Value>, void, undefined> {
  const { level, wanted, all } = from
  if (all || wanted.some(({ below }) => below.has('+') || below.has('#'))) {
    for (const [name, child] of level.children!) yield stepTo(name, child, from)
    return
  }
  for (const name of new Set(wanted.flatMap(({ below }) => [...below.keys()]))) {
    const child = level.children!.get(name)
    if (child !== undefined) yield stepTo(name, child, from)
  }
}

function stepTo<Value>(name: string, level: Level<Value>, { wanted, all }: Step<Value>): Step<Value> {
  const cost = 1 + wanted.length
  if (all || wanted.some(({ below }) => below.has('#'))) return { level, wanted: [], all: true, cost }
  const next: Wanted[] = []
  for (const { below } of wanted) {
    const named = below.get(name)
    const any = below.get('+')
    if (named !== undefined) next.push(named)
    if (any !== undefined && any !== named) next.push(any)
  }
  return { level, wanted: next, all: false, cost }
}
