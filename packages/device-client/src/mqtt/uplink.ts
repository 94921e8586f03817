import type { TLSSocket } from 'node:tls'

import { DeviceClientError } from '../error.ts'
import type { Backoff } from '../retry/backoff.ts'
import { retryVerdict } from '../retry/verdict.ts'
import type { Session } from './session.ts'
import type { BrokerTls } from './tls-socket.ts'
import { Wakeup } from './wakeup.ts'

/** What an uplink needs and whom it tells. */
export interface UplinkOptions {
  tls: BrokerTls
  /** TLS alone, as far as the broker's verdict on the certificate can be known without CONNECT. */
  handshake: (tls: BrokerTls, signal: AbortSignal) => Promise<TLSSocket>
  /** A session, on `socket` if there is one. */
  open: (tls: BrokerTls, signal: AbortSignal, socket?: TLSSocket) => Promise<Session>
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

/** Another identity that is to be tried: the TLS connection made with it, and who waits to hear. */
interface Trial extends PromiseWithResolvers<void> {
  readonly tls: BrokerTls
  readonly socket: TLSSocket
}

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
  #trial: Trial | undefined
  #attempt = new AbortController()
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

  /**
   * Changes to `tls` if the broker takes it. The session in use is ended only when a TLS connection with `tls`
   * stands, and `beforeSwitch` has settled; CONNECT follows on that connection at once. Rejects with the reason
   * if the broker refuses it; the next session then uses the TLS that was in use before, at once. One at a time.
   */
  async replaceTls(tls: BrokerTls, beforeSwitch: () => Promise<void>): Promise<void> {
    const socket = await this.#options.handshake(tls, this.#stop.signal)
    await beforeSwitch()
    if (this.stopped || this.#stopping) {
      socket.destroy()
      throw closedByUs()
    }
    const trial: Trial = { tls, socket, ...Promise.withResolvers<void>() }
    trial.promise.catch(() => undefined)
    this.#trial = trial
    this.#wakeup.wake()
    // An attempt with the old identity that is under way would only be in the way.
    if (!this.#session) this.#attempt.abort()
    await this.#session?.end(END_TIMEOUT_MS)
    await trial.promise
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
      this.#trial?.socket.destroy()
      this.#trial?.reject(error)
      // Nobody else would hear of it.
      if (this.#everConnected) throw error
    }
  }

  async #run(): Promise<void> {
    let failures = 0
    while (!this.stopped && !this.#stopping) {
      const trial = this.#trial
      const { reason, connected, heldMs } = await this.#connectAndStay(trial)
      if (this.stopped || this.#stopping) break
      // Back to the identity that was in use, or on to the one that is to be tried: nothing to wait for.
      if ((trial && !connected) || this.#trial) continue
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
    this.#trial?.socket.destroy()
    this.#trial?.reject(closedByUs())
  }

  /** One connection from beginning to end. */
  async #connectAndStay(
    trial: Trial | undefined,
  ): Promise<{ reason: DeviceClientError; connected: boolean; heldMs: number }> {
    const startedAt = performance.now()
    const { tls } = trial ?? { tls: this.#tls }
    this.#attempt = new AbortController()
    const signal = AbortSignal.any([this.#stop.signal, this.#attempt.signal])
    let session: Session
    try {
      session = await this.#options.open(tls, signal, trial?.socket)
    } catch (error) {
      const reason = error instanceof DeviceClientError ? error : unforeseen(error)
      this.#endTrial(trial)?.reject(this.stopped ? closedByUs() : reason)
      return { reason, connected: false, heldMs: 0 }
    }
    if (this.#trial !== trial) {
      // An identity is to be tried since: its turn is now.
      await session.end(END_TIMEOUT_MS)
      return { reason: closedByUs(), connected: false, heldMs: 0 }
    }
    const connectedAt = performance.now()
    this.#tls = tls
    this.#session = session
    this.#everConnected = true
    this.#options.onSession(session, connectedAt - startedAt)
    this.#first.resolve()
    this.#endTrial(trial)?.resolve()
    const reason = (await session.ended) ?? closedByUs()
    this.#session = undefined
    this.#options.onLost(reason)
    return { reason, connected: true, heldMs: performance.now() - connectedAt }
  }

  #endTrial(trial: Trial | undefined): Trial | undefined {
    if (trial) this.#trial = undefined
    return trial
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
