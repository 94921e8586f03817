import { DeviceClientError } from '../error.ts'
import type { Backoff } from '../retry/backoff.ts'
import { retryVerdict } from '../retry/verdict.ts'
import type { Session } from './session.ts'
import type { BrokerTls } from './tls-socket.ts'
import { Wakeup } from './wakeup.ts'

/** What an uplink needs and whom it tells. */
export interface UplinkOptions {
  tls: BrokerTls
  open: (tls: BrokerTls, signal: AbortSignal) => Promise<Session>
  backoff: Backoff
  /** Also try the first connection again if its failure may pass. */
  retryFirst: boolean
  onSession: (session: Session, connectMs: number) => void
  /** The session given to `onSession` has ended. */
  onLost: (reason: DeviceClientError) => void
  /** No connection now; the next attempt comes after `waitMs`. */
  onOffline: (reason: DeviceClientError, waitMs: number) => void
}

/** A connection that held this long was a good one: the next failure is a first failure again. */
const STABLE_MS = 10_000
const END_TIMEOUT_MS = 2_000
/** An attempt number at which every back-off has reached its cap: how a refused identity waits. */
const AT_CAP = 64

/** Keeps one MQTT session open: opens it, waits for its end, backs off, opens the next. */
export class Uplink {
  readonly #options: UplinkOptions
  readonly #wakeup = new Wakeup()
  readonly #stop = new AbortController()
  readonly #first = Promise.withResolvers<void>()
  #tls: BrokerTls
  #session: Session | undefined
  #everConnected = false
  #stopping = false
  #replaced: PromiseWithResolvers<void> | undefined
  #loop: Promise<void> | undefined

  constructor(options: UplinkOptions) {
    this.#options = options
    this.#tls = options.tls
    // Nobody waits for it any more when a connection that was up is closed.
    this.#first.promise.catch(() => undefined)
  }

  get session(): Session | undefined {
    return this.#session
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted
  }

  /** Resolves with the first session, rejects with the failure that ended the attempts. Called once. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = () => void this.stop()
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) this.#stop.abort()
    this.#loop = this.#runToTheEnd()
    try {
      await this.#first.promise
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** Ends the session, if any, and resolves when one stands that uses `tls`. Rejects when stopped before. */
  async replaceTls(tls: BrokerTls): Promise<void> {
    this.#tls = tls
    this.#replaced ??= Promise.withResolvers<void>()
    const { promise } = this.#replaced
    promise.catch(() => undefined)
    this.#wakeup.wake()
    await this.#session?.end(END_TIMEOUT_MS)
    await promise
  }

  /** Ends the session with a DISCONNECT, or gives up the attempt in progress. Never rejects. */
  async stop(): Promise<void> {
    const session = this.#session
    if (session && !this.stopped) {
      this.#stopping = true
      await session.end(END_TIMEOUT_MS)
    }
    this.#stop.abort()
    this.#wakeup.wake()
    await this.#loop?.catch(() => undefined)
  }

  async #runToTheEnd(): Promise<void> {
    try {
      await this.#run()
    } catch (error) {
      // A bug, here or in what was told. The session ends with the signal; nobody is left waiting.
      this.#stop.abort()
      this.#first.reject(error)
      this.#replaced?.reject(error)
      // Nobody else would hear of it.
      if (this.#everConnected) throw error
    }
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.stopped && !this.#stopping) {
      const tls = this.#tls
      const { reason, connected, heldMs } = await this.#connectAndStay(tls)
      if (this.stopped || this.#stopping) break
      // The identity was replaced: no failure, and nothing to wait for.
      if (tls !== this.#tls) continue
      const verdict = retryVerdict(reason)
      if (!this.#everConnected && !(this.#options.retryFirst && verdict.retry)) {
        this.#stop.abort()
        this.#first.reject(reason)
        return
      }
      if (connected && heldMs > STABLE_MS) failures = 0
      const { backoff } = this.#options
      const waitMs = verdict.retry ? verdict.waitMs + backoff(failures) : backoff(AT_CAP)
      failures += 1
      this.#options.onOffline(reason, waitMs)
      // Who was told may have stopped us, when there was no wait to cut short yet.
      if (!this.stopped) await this.#wakeup.wait(waitMs)
    }
    this.#first.reject(closedByUs())
    this.#replaced?.reject(closedByUs())
  }

  /** One connection from beginning to end. */
  async #connectAndStay(
    tls: BrokerTls,
  ): Promise<{ reason: DeviceClientError; connected: boolean; heldMs: number }> {
    const startedAt = performance.now()
    let session: Session
    try {
      session = await this.#options.open(tls, this.#stop.signal)
    } catch (error) {
      const reason = error instanceof DeviceClientError ? error : unforeseen(error)
      return { reason, connected: false, heldMs: 0 }
    }
    if (tls !== this.#tls) {
      await session.end(END_TIMEOUT_MS)
      return { reason: closedByUs(), connected: false, heldMs: 0 }
    }
    const connectedAt = performance.now()
    this.#session = session
    this.#everConnected = true
    this.#options.onSession(session, connectedAt - startedAt)
    this.#first.resolve()
    this.#replaced?.resolve()
    this.#replaced = undefined
    const reason = (await session.ended) ?? closedByUs()
    this.#session = undefined
    this.#options.onLost(reason)
    return { reason, connected: true, heldMs: performance.now() - connectedAt }
  }
}

function unforeseen(cause: unknown): DeviceClientError {
  const what = cause instanceof Error ? cause.message : String(cause)
  return new DeviceClientError(
    'unforeseen',
    `the connection failed in a way that nobody foresaw (${what}): this is a bug`,
    { cause },
  )
}

/** The reason of an end that nobody else brought about. */
export function closedByUs(): DeviceClientError {
  return new DeviceClientError('connection-closed', 'the connection was closed by this device')
}
