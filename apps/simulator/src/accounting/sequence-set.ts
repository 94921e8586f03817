/**
 * A set of sequence numbers, kept as ranges. A device publishes 1, 2, 3, … and nearly all of them are
 * acknowledged and delivered, so a day of messages is one range and not 86,400 members.
 */
export interface SequenceSet {
  /** Adds `sequence`; false when it was there already. */
  add(sequence: number): boolean
  has(sequence: number): boolean
  readonly size: number
  /** The members that are not in `other`, in order, at most `limit` of them. */
  except(other: SequenceSet, limit: number): number[]
}

/** An empty set. */
export function createSequenceSet(): SequenceSet {
  // Disjoint, not adjacent, in order; both ends included.
  const ranges: { first: number; last: number }[] = []
  let size = 0

  /** Index of the first range that ends at or after `sequence`. */
  function find(sequence: number): number {
    let low = 0
    let high = ranges.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((ranges[middle]?.last ?? 0) < sequence) low = middle + 1
      else high = middle
    }
    return low
  }

  const has = (sequence: number): boolean => {
    const range = ranges[find(sequence)]
    return range !== undefined && range.first <= sequence
  }

  return {
    has,
    get size() {
      return size
    },
    add(sequence) {
      const index = find(sequence)
      const after = ranges[index]
      if (after !== undefined && after.first <= sequence) return false
      size++
      const before = ranges[index - 1]
      const joinsBefore = before !== undefined && before.last + 1 === sequence
      const joinsAfter = after !== undefined && after.first - 1 === sequence
      if (joinsBefore && joinsAfter) {
        before.last = after.last
        ranges.splice(index, 1)
      } else if (joinsBefore) before.last = sequence
      else if (joinsAfter) after.first = sequence
      else ranges.splice(index, 0, { first: sequence, last: sequence })
      return true
    },
    except(other, limit) {
      const missing: number[] = []
      for (const range of ranges) {
        for (let sequence = range.first; sequence <= range.last; sequence++) {
          if (missing.length >= limit) return missing
          if (!other.has(sequence)) missing.push(sequence)
        }
      }
      return missing
    },
  }
}
