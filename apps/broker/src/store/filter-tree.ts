/** A level of a topic filter, with what ends there and what is below. */
interface Level<Owner, Value> {
  ending: Map<Owner, Value> | undefined
  below: Map<string, Level<Owner, Value>> | undefined
}

/**
 * Who wants what: values by topic filter and owner, found by topic name (MQTT 3.1.1 section 4.7). What a lookup costs is
 * decided by the levels of the topic and by what matches, not by how many filters there are.
 */
export class FilterTree<Owner, Value> {
  readonly #root: Level<Owner, Value> = { ending: undefined, below: undefined }

  set(filter: string, owner: Owner, value: Value): void {
    let level = this.#root
    for (const name of filter.split('/')) {
      level.below ??= new Map()
      let next = level.below.get(name)
      if (next === undefined) level.below.set(name, (next = { ending: undefined, below: undefined }))
      level = next
    }
    level.ending ??= new Map()
    level.ending.set(owner, value)
  }

  delete(filter: string, owner: Owner): void {
    remove(this.#root, filter.split('/'), 0, owner)
  }

  /** The values of all filters that match; an owner with several of them is there several times. */
  match(topic: string): Value[] {
    const found: Value[] = []
    collect(this.#root, topic.split('/'), 0, found)
    return found
  }
}

function collect<Value>(level: Level<unknown, Value>, names: string[], depth: number, found: Value[]): void {
  const { below } = level
  // A wildcard at the beginning does not match names that begin with `$` [MQTT-4.7.2-1].
  const allowsWildcard = depth > 0 || !names[0]!.startsWith('$')
  // `a/#` matches `a` as well.
  if (allowsWildcard) add(below?.get('#'), found)
  if (depth === names.length) return add(level, found)
  if (below === undefined) return
  const any = allowsWildcard ? below.get('+') : undefined
  if (any !== undefined) collect(any, names, depth + 1, found)
  const named = below.get(names[depth]!)
  if (named !== undefined) collect(named, names, depth + 1, found)
}

function add<Value>(level: Level<unknown, Value> | undefined, found: Value[]): void {
  if (level?.ending !== undefined) found.push(...level.ending.values())
}

/** Returns true when nothing is left of the level. */
function remove<Owner>(level: Level<Owner, unknown>, names: string[], depth: number, owner: Owner): boolean {
  if (depth === names.length) {
    level.ending?.delete(owner)
  } else {
    const name = names[depth]!
    const next = level.below?.get(name)
    if (next !== undefined && remove(next, names, depth + 1, owner)) level.below!.delete(name)
  }
  return (level.ending?.size ?? 0) === 0 && (level.below?.size ?? 0) === 0
}
