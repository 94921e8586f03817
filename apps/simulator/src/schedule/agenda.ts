/** Something to do at a time. */
interface Entry {
  at: number
  order: number
  run: () => void
}

/** What an agenda needs of a clock: the time in milliseconds, and one timer. */
export interface Clock {
  now(): number
  /** Calls `run` once after `delayMs`; returns what cancels it. */
  after(delayMs: number, run: () => void): () => void
}

/** Times and callbacks of a whole fleet behind one timer. */
export interface Agenda {
  /** Calls `run` at `at` (milliseconds of the clock), or as soon as possible when that is past. */
  at(at: number, run: () => void): void
  /** Entries that have not run. */
  readonly size: number
  /** Forgets everything; later calls of `at` are ignored. */
  close(): void
}

// Beyond this setTimeout fires at once; the agenda then simply looks again.
const longestTimerMs = 2 ** 31 - 1

/**
 * One binary heap and one timer for all devices. An interval timer per device would drift by its own
 * lateness each time and cost a kernel-visible object each; here every entry names its absolute time.
 */
export function createAgenda(clock: Clock): Agenda {
  const heap: Entry[] = []
  let order = 0
  let closed = false
  let cancelTimer: (() => void) | undefined
  let timerAt = Infinity

  function arm(): void {
    const first = heap[0]
    if (first === undefined || first.at >= timerAt) return
    cancelTimer?.()
    timerAt = first.at
    cancelTimer = clock.after(Math.min(longestTimerMs, Math.max(0, first.at - clock.now())), runDue)
  }

  function runDue(): void {
    cancelTimer = undefined
    timerAt = Infinity
    const now = clock.now()
    // Only what is due now: an entry that adds another due entry must not starve the event loop.
    const due: Entry[] = []
    while (heap[0] !== undefined && heap[0].at <= now) due.push(pop(heap))
    for (const entry of due) if (!closed) entry.run()
    arm()
  }

  return {
    at(at, run) {
      if (closed) return
      push(heap, { at, order: order++, run })
      arm()
    },
    get size() {
      return heap.length
    },
    close() {
      closed = true
      heap.length = 0
      cancelTimer?.()
    },
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order)
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length
  while (index > 0) {
    const parentIndex = (index - 1) >> 1
    const parent = heap[parentIndex] as Entry
    if (!before(entry, parent)) break
    heap[index] = parent
    index = parentIndex
  }
  heap[index] = entry
}

function pop(heap: Entry[]): Entry {
  const top = heap[0] as Entry
  const last = heap.pop() as Entry
  if (heap.length === 0) return top
  let index = 0
  for (;;) {
    let child = 2 * index + 1
    if (child >= heap.length) break
    const right = child + 1
    if (right < heap.length && before(heap[right] as Entry, heap[child] as Entry)) child = right
    if (!before(heap[child] as Entry, last)) break
    heap[index] = heap[child] as Entry
    index = child
  }
  heap[index] = last
  return top
}
