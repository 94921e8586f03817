import type { ClientRequest, IncomingMessage } from 'node:http'
import { request } from 'node:https'
import type { ConnectionOptions } from 'node:tls'
import { type Backoff, fullJitterBackoff } from '@fleetroot/device-client'
import { BrokerError } from '../error.ts'
import { EventStreamParser, type ServerSentEvent } from './event-stream.ts'

/** How to follow the event stream, and who hears of it. */
export interface FeedOptions {
  /** `https://host:port` of the enrollment server. */
  readonly url: string
  /** Asked for every connection: the broker's own certificate is renewed while it runs. */
  readonly tls: () => ConnectionOptions
  /** The event after which to resume; undefined: from now on. */
  readonly resumeAfter: () => number | undefined
  /** Silence after which a connection is taken for broken. The server sends a comment every 5 s. */
  readonly silenceMs?: number
  /** Default: full jitter up to 2 s: what a reconnect costs is little, and each second is one in which nothing is known. */
  readonly backoff?: Backoff
  readonly onOpen: () => void
  /** Something arrived, if only a comment. Called after `onEvent` for the events in it. */
  readonly onAlive: () => void
  readonly onEvent: (event: ServerSentEvent) => void
  /** The connection ended or, if it was not open, was never made; the next attempt follows by itself. */
  readonly onBroken: (reason: BrokerError, wasOpen: boolean) => void
}

const path = '/v1/events'

/** Follows the event stream of an enrollment server over mutual TLS until it is closed. */
export class Feed {
  readonly #options: FeedOptions
  readonly #silenceMs: number
  readonly #backoff: Backoff
  #isOpen = false
  #isClosed = false
  #failures = 0
  #request: ClientRequest | undefined
  #silence: NodeJS.Timeout | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(options: FeedOptions) {
    this.#options = options
    this.#silenceMs = options.silenceMs ?? 15_000
    this.#backoff = options.backoff ?? fullJitterBackoff({ baseMs: 250, capMs: 2_000 })
    this.#connect()
  }

  /** Whether events would arrive now, as far as anybody can tell. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  close(): void {
    this.#isClosed = true
    this.#isOpen = false
    clearTimeout(this.#silence)
    clearTimeout(this.#retry)
    this.#request?.destroy()
  }

  #connect(): void {
    const { url, tls, resumeAfter } = this.#options
    const after = resumeAfter()
    const outgoing = request(new URL(path, url), {
      ...tls(),
      // A connection of its own, which is made anew, verification included, each time.
      agent: false,
      headers: {
        accept: 'text/event-stream',
        'cache-control': 'no-store',
        ...(after === undefined ? {} : { 'last-event-id': String(after) }),
      },
    })
    this.#request = outgoing
    outgoing.setNoDelay(true)
    outgoing.on('error', (error) => this.#broken(outgoing, unreachable(url, error.message, error)))
    outgoing.on('response', (response) => this.#opened(outgoing, response))
    // Covers the connecting as well.
    this.#watchSilence(outgoing)
    outgoing.end()
  }

  #opened(outgoing: ClientRequest, response: IncomingMessage): void {
    const { url, onOpen, onAlive, onEvent } = this.#options
    const { statusCode = 0, headers } = response
    const type = headers['content-type'] ?? 'none'
    if (statusCode !== 200 || !/^text\/event-stream\b/i.test(type)) {
      const answer = statusCode === 200 ? `content type ${JSON.stringify(type)}` : `status ${statusCode}`
      return this.#broken(
        outgoing,
        new BrokerError(
          'revocation-refused',
          `${url}${path} answered with ${answer} instead of an event stream`,
        ),
      )
    }
    const parser = new EventStreamParser(onEvent)
    response.on('data', (chunk: Buffer) => {
      if (this.#request !== outgoing) return
      this.#failures = 0
      this.#watchSilence(outgoing)
      try {
        parser.push(chunk)
      } catch (error) {
        return this.#broken(
          outgoing,
          unreachable(url, error instanceof Error ? error.message : 'unreadable', error),
        )
      }
      return onAlive()
    })
    for (const event of ['end', 'close', 'error'] as const) {
      response.on(event, () => this.#broken(outgoing, unreachable(url, 'the event stream ended')))
    }
    this.#isOpen = true
    return onOpen()
  }

  #watchSilence(outgoing: ClientRequest): void {
    clearTimeout(this.#silence)
    this.#silence = setTimeout(() => {
      const silence = `nothing came for ${this.#silenceMs / 1000} s`
      this.#broken(outgoing, unreachable(this.#options.url, silence))
    }, this.#silenceMs)
  }

  /** Once for each connection. */
  #broken(outgoing: ClientRequest, reason: BrokerError): void {
    if (this.#request !== outgoing || this.#isClosed) return
    const wasOpen = this.#isOpen
    this.#request = undefined
    this.#isOpen = false
    clearTimeout(this.#silence)
    outgoing.destroy()
    const waitMs = this.#backoff(this.#failures)
    this.#failures += 1
    this.#options.onBroken(reason, wasOpen)
    this.#retry = setTimeout(() => this.#connect(), waitMs)
  }
}

function unreachable(url: string, why: string, cause?: unknown): BrokerError {
  return new BrokerError('revocation-unreachable', `no event stream from ${url}: ${why}`, { cause })
}
