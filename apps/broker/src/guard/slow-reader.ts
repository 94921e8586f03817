import type { Session } from '../engine/session.ts'

/** The part of an aedes client that makes whoever sends to it wait: called when its send buffer is full. */
export interface PatientClient {
  waitForDrain: (done: Waiting) => void
}

type Waiting = (error: Error | null, client: PatientClient) => void

/**
 * How long anybody waits for a client that has stopped reading. Within it, a busy reader gets its flow control: whoever
 * publishes to it goes at its pace. One that takes nothing at all for that long is a matter of its own.
 */
const patienceMs = 10

/**
 * Makes a client that does not read its own problem. aedes lets every publisher to it wait for up to `drainTimeout`, and
 * with them all other subscribers of those publishers. Here nobody waits longer than 10 ms for a client that takes
 * nothing: what is for it piles up in its own buffer, which `maxOutboundBytes` bounds, until it reads again, and
 * after `drainTimeoutMs` without a byte it is disconnected as `slow-reader`.
 */
export function isolateSlowReader(client: PatientClient, session: Session, drainTimeoutMs: number): void {
  let reader: SlowReader | undefined
  client.waitForDrain = (done) => {
    reader ??= new SlowReader(client, session, drainTimeoutMs)
    reader.wait(done)
  }
}

/** Made when a send buffer is full for the first time: most clients never have one. */
class SlowReader {
  readonly #client: PatientClient
  readonly #session: Session
  readonly #drainTimeoutMs: number
  #waiting: Waiting[] = []
  #patience: NodeJS.Timeout | undefined
  #deadline: NodeJS.Timeout | undefined
  /** It took nothing for `patienceMs`; nobody waits for it. */
  #isStuck = false
  #unsent = 0
  #isWatched = false
  readonly #onDrain = (): void => this.#drained()

  constructor(client: PatientClient, session: Session, drainTimeoutMs: number) {
    this.#client = client
    this.#session = session
    this.#drainTimeoutMs = drainTimeoutMs
  }

  wait(done: Waiting): void {
    const { stream } = this.#session
    if (stream.destroyed) return void setImmediate(done, null, this.#client)
    this.#watch()
    // What is unsent grows by a packet each time; where it has become less, the client has read.
    if (this.#isStuck && stream.writableLength < this.#unsent) this.#isReading()
    this.#unsent = stream.writableLength
    if (this.#isStuck) return void setImmediate(done, null, this.#client)
    this.#waiting.push(done)
    this.#patience ??= setTimeout(() => this.#giveUp(), patienceMs).unref()
    this.#startDeadline()
  }

  #startDeadline(): void {
    this.#deadline ??= setTimeout(() => this.#session.end('slow-reader'), this.#drainTimeoutMs).unref()
  }

  #watch(): void {
    if (this.#isWatched) return
    this.#isWatched = true
    this.#session.stream.on('drain', this.#onDrain)
    this.#session.stream.on('close', this.#onDrain)
  }

  #drained(): void {
    this.#isWatched = false
    this.#session.stream.off('drain', this.#onDrain)
    this.#session.stream.off('close', this.#onDrain)
    this.#isReading()
    clearTimeout(this.#patience)
    this.#patience = undefined
    this.#goOn()
  }

  /** Patience begins again. */
  #isReading(): void {
    this.#isStuck = false
    clearTimeout(this.#deadline)
    this.#deadline = undefined
  }

  #giveUp(): void {
    this.#patience = undefined
    const { writableLength } = this.#session.stream
    if (writableLength < this.#unsent) {
      this.#isReading()
      this.#startDeadline()
      this.#unsent = writableLength
    } else this.#isStuck = true
    this.#goOn()
  }

  #goOn(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const done of waiting) setImmediate(done, null, this.#client)
  }
}
