import type { EventHeads } from '../registry/event-log.ts'
import type { Registry } from '../registry/registry.ts'

/** How soon an event of another process on the same registry is noticed. */
const pollEveryMs = 100

/** Knows how far the registry's events are, and tells whoever waits for the next one. */
export interface EventFeed {
  /** As of the last look. */
  heads(): EventHeads
  /** Looks at once: this process has just committed something. */
  wake(): void
  /** Calls the listener after every look that found something new, until the function that comes back is called. */
  onChange(listener: () => void): () => void
  /** Resolves when there is an event after `id`, or when the feed closes. */
  changed(id: number): Promise<void>
  readonly isClosed: boolean
  close(): Promise<void>
}

/**
 * Opens the feed. It polls, because another process may write to the same registry; what this process writes it is
 * told by `wake`. One look is under way at a time, so that a storm of changes costs no more than a few.
 * @param onError told when the registry cannot be asked; the next look may work
 */
export async function openEventFeed(
  registry: Registry,
  onError: (error: unknown) => void,
): Promise<EventFeed> {
  const listeners = new Set<() => void>()
  let heads = await registry.eventHeads(undefined)
  let looking: Promise<void> | undefined
  let again = false
  let isClosed = false

  async function look(): Promise<void> {
    do {
      again = false
      try {
        const next = await registry.eventHeads(undefined)
        const isNew = next.last !== heads.last
        heads = next
        if (isNew) tell()
      } catch (error) {
        if (!isClosed) onError(error)
      }
    } while (again)
    looking = undefined
  }
  function tell(): void {
    for (const listener of listeners) listener()
  }
  function wake(): void {
    if (isClosed) return
    again = true
    looking ??= look()
  }
  function onChange(listener: () => void): () => void {
    listeners.add(listener)
    return () => void listeners.delete(listener)
  }
  const timer = setInterval(wake, pollEveryMs)

  return {
    heads: () => heads,
    wake,
    onChange,
    changed: (id) =>
      new Promise((resolve) => {
        if (isClosed || heads.last > id) return resolve()
        const stop = onChange(() => {
          if (!isClosed && heads.last <= id) return
          stop()
          resolve()
        })
      }),
    get isClosed() {
      return isClosed
    },
    close: async () => {
      isClosed = true
      again = false
      clearInterval(timer)
      tell()
      await looking
    },
  }
}
