import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { Identity } from './request.ts'

/** One server-sent event. */
export interface SentEvent {
  readonly id: number
  readonly type: string
  readonly data: Record<string, unknown>
}

/** A subscriber over real TLS. */
export interface Subscriber {
  readonly status: number
  readonly response: IncomingMessage
  /** Everything that has arrived, comments included. */
  text(): string
  events(): SentEvent[]
  /** Resolves to the events as soon as there are that many; rejects when the stream ends before. */
  take(count: number): Promise<SentEvent[]>
  readonly ended: Promise<unknown>
  close(): void
}

/** Subscribes to `/v1/events`. The test closes it. */
export async function subscribe(
  server: { readonly port: number; readonly root: string },
  identity: Identity | undefined,
  { after, headers = {} }: { after?: number; headers?: Record<string, string> } = {},
): Promise<Subscriber> {
  const outgoing = request({
    host: 'localhost',
    port: server.port,
    path: after === undefined ? '/v1/events' : `/v1/events?after=${after}`,
    ca: server.root,
    agent: false,
    headers,
    ...identity,
  })
  outgoing.end()
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage]
  let text = ''
  let isOver = false
  const watchers = new Set<() => void>()
  const changed = (): void => watchers.forEach((watcher) => watcher())
  response.setEncoding('utf8')
  response.on('data', (chunk: string) => {
    text += chunk
    changed()
  })
  response.on('error', () => {})
  const ended = new Promise<void>((resolve) => {
    response.once('close', () => {
      isOver = true
      changed()
      resolve()
    })
  })
  const events = (): SentEvent[] =>
    text
      .split('\n\n')
      .slice(0, -1)
      .flatMap((block) => {
        const fields = new Map(
          block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2) as [string, string]),
        )
        const data = fields.get('data')
        if (data === undefined) return []
        return {
          id: Number(fields.get('id')),
          type: fields.get('event') ?? '',
          data: JSON.parse(data) as Record<string, unknown>,
        }
      })
  return {
    status: response.statusCode ?? 0,
    response,
    text: () => text,
    events,
    take: (count) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const arrived = events()
          if (arrived.length < count && !isOver) return
          watchers.delete(look)
          if (arrived.length >= count) resolve(arrived)
          else reject(new Error(`the stream ended after ${arrived.length} events:\n${text}`))
        }
        watchers.add(look)
        look()
      }),
    ended,
    close: () => outgoing.destroy(),
  }
}
