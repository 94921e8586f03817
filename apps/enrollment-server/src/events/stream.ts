import type { ServerResponse } from 'node:http'
import type { RegistryEvent } from '../registry/event-log.ts'
import type { Registry } from '../registry/registry.ts'
import type { EventFeed } from './feed.ts'
import { formatEvent, formatReset, heartbeat } from './format.ts'

const heartbeatEveryMs = 5000
/** How long a subscriber may leave what was sent unread. */
const stalledAfterMs = 30_000
/** What is read at once, and so the most that waits in memory for one subscriber, besides its socket's buffer. */
const pageSize = 256

/** What a stream is made of. */
export interface StreamOptions {
  readonly registry: Pick<Registry, 'listEvents' | 'eventHeads'>
  readonly feed: EventFeed
  readonly response: ServerResponse
  /** The last event that the subscriber has seen; left out: it wants those from now on. */
  readonly after: number | undefined
  /** Told the id of the last event that was sent, or that the subscriber had seen before. */
  readonly progress: (id: number) => void
  /** True if an event may end the right to listen. */
  readonly concerns: (event: RegistryEvent) => boolean
  /** Rejects when the subscriber may not listen any more. */
  readonly recheck: () => Promise<void>
}

/**
 * Sends events until the subscriber leaves, stops reading, loses its right to listen, or the feed closes. Each
 * stream reads the registry at its own pace: a slow one is waited for, without a queue, and one that is overtaken
 * by the deletion of old events gets `reset`. Never rejects for what the subscriber does.
 */
export async function streamEvents(options: StreamOptions): Promise<void> {
  const { registry, feed, response, progress, concerns, recheck } = options
  const gone = new Promise<void>((resolve) => {
    response.once('close', resolve)
  })
  const end = (): void => void response.end()
  const check = (): Promise<void> => recheck().catch(end)
  let isWaiting = false
  const timer = setInterval(() => {
    if (!isWaiting) response.write(heartbeat)
    void check()
  }, heartbeatEveryMs)

  /** Resolves to false when the stream is over. */
  async function send(text: string): Promise<boolean> {
    if (response.destroyed || response.writableEnded) return false
    if (response.write(text)) return true
    isWaiting = true
    const stalled = setTimeout(() => response.destroy(), stalledAfterMs)
    const drained = new Promise<void>((resolve) => {
      response.once('drain', resolve)
    })
    await Promise.race([drained, gone])
    clearTimeout(stalled)
    isWaiting = false
    return !response.destroyed
  }

  try {
    const { last, first } = await registry.eventHeads(undefined)
    let seen = options.after ?? last
    // A registry that was restored from a backup may be behind what the subscriber has seen.
    if (seen > last || seen < first - 1) {
      seen = last
      if (!(await send(formatReset(last)))) return
    }
    while (!feed.isClosed) {
      progress(seen)
      const events = await registry.listEvents({ after: seen, limit: pageSize })
      const [oldest] = events
      if (oldest && oldest.id !== seen + 1) {
        seen = (await registry.eventHeads(undefined)).last
        if (!(await send(formatReset(seen)))) return
        continue
      }
      if (events.length > 0 && !(await send(events.map(formatEvent).join('')))) return
      seen = events.at(-1)?.id ?? seen
      progress(seen)
      if (events.some(concerns)) await check()
      if (events.length < pageSize) await Promise.race([feed.changed(seen), gone])
      if (response.destroyed || response.writableEnded) return
    }
  } finally {
    clearInterval(timer)
    end()
  }
}
