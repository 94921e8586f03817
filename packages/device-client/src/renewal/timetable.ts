/** The time in milliseconds since 1970, and one timer. */
export interface Clock {
  now(): number
  /** Calls `run` once after `delayMs`; returns what cancels it. */
  after(delayMs: number, run: () => void): () => void
}

/** Something to do at a time. */
interface Entry {
  readonly at: number
  /** Undefined when it was cancelled. */
  run: (() => void) | undefined
}

/** By the wall clock: timers stand still while the machine sleeps, and certificates do not. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}

/** So soon a clock that was set, or a machine that slept, is noticed. */
const LOOK_AGAIN_MS = 60_000

/**
 * Times and callbacks of thousands of devices behind one timer: a binary heap, so that adding one and taking the
 * next one out cost log n, and cancelling nothing.
 */
export class Timetable {
  readonly #clock: Clock
  readonly #heap: Entry[] = []
  #cancelTimer: (() => void) | undefined
  #timerAt = Infinity

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Entries that have not run, cancelled ones included. */
  get size(): number {
    return this.#heap.length
  }

  /** Calls `run` at `at`, or as soon as possible when that is past; returns what cancels it. */
  at(at: number, run: () => void): () => void {
    const entry: Entry = { at, run }
    push(this.#heap, entry)
    this.#arm()
    return () => {
      entry.run = undefined
    }
  }

  /** Forgets everything. */
  clear(): void {
    this.#heap.length = 0
    this.#cancelTimer?.()
    this.#timerAt = Infinity
  }

  #arm(): void {
    while (this.#heap[0] !== undefined && this.#heap[0].run === undefined) pop(this.#heap)
    const [first] = this.#heap
    if (first === undefined || first.at >= this.#timerAt) return
    this.#cancelTimer?.()
    this.#timerAt = first.at
    const delayMs = Math.min(LOOK_AGAIN_MS, Math.max(0, first.at - this.#clock.now()))
    this.#cancelTimer = this.#clock.after(delayMs, () => this.#runDue())
  }

  #runDue(): void {
    this.#timerAt = Infinity
    const now = this.#clock.now()
    const due: Entry[] = []
    // Only what is due now: an entry that adds another due entry must not starve the event loop.
    while (this.#heap[0] !== undefined && this.#heap[0].at <= now) due.push(pop(this.#heap))
    for (const entry of due) entry.run?.()
    this.#arm()
  }
}

function push(heap: Entry[], entry: Entry): void {
  let index = heap.length
  while (index > 0) {
    const above = (index - 1) >> 1
    const parent = heap[above] as Entry
    if (parent.at <= entry.at) break
    heap[index] = parent
    index = above
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
    if (right < heap.length && (heap[right] as Entry).at < (heap[child] as Entry).at) child = right
    if ((heap[child] as Entry).at >= last.at) break
    heap[index] = heap[child] as Entry
    index = child
  }
  heap[index] = last
  return top
}
