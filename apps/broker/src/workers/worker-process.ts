import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import type { FromWorker, Questions, ToWorker } from './messages.ts'

/** How a worker is started, and who hears of it. */
export interface WorkerProcessOptions {
  readonly logLevel: string | undefined
  /** Every message but answers. */
  readonly onMessage: (message: FromWorker) => void
  /** It owes a sign of life; and when it has given one again. */
  readonly onSilence: (isSilent: boolean) => void
  /** Once: how it ended, in words. */
  readonly onExit: (how: string) => void
}

const answerWithinMs = 5_000
/** How often it is asked for a sign of life, and so long after it has one to give. */
const signEveryMs = 3_000
/** Signs of life in a row that it owes when it is taken for dead: a machine that is overloaded is no reason. */
const maxSilences = 5

interface Waiting {
  readonly resolve: (answer: Questions[keyof Questions]['answer'] | undefined) => void
  readonly deadline: NodeJS.Timeout
}

/** One life of a worker, as the supervising process sees it. */
export class WorkerProcess {
  readonly #child: ChildProcess
  readonly #startedMs = performance.now()
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0
  #silences = 0
  /** It was asked for a sign of life and has not given it. */
  #isOwing = false
  #isGreeted = false
  /** It serves, and answers questions. */
  #isServing = false
  readonly #watching: NodeJS.Timeout

  constructor({ logLevel, onMessage, onSilence, onExit }: WorkerProcessOptions) {
    this.#child = fork(join(import.meta.dirname, 'worker.ts'), [], {
      env: environment(logLevel),
      // Its log goes where ours goes.
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      // Maps and typed arrays arrive as what they are.
      serialization: 'advanced',
    })
    this.#child.on('message', (message) => {
      const told = message as FromWorker
      this.#isGreeted = true
      this.#isServing ||= told.kind === 'listening'
      if (told.kind === 'answer') this.#answered(told.number, told.answer)
      else onMessage(told)
    })
    // A message that it cannot get any more: its exit follows.
    this.#child.on('error', () => undefined)
    this.#watching = setInterval(() => this.#watch(onSilence), signEveryMs)
    this.#child.once('exit', (status, signal) => {
      clearInterval(this.#watching)
      for (const number of this.#waiting.keys()) this.#answered(number, undefined)
      onExit(signal === null ? `with status ${status}` : `by ${signal}`)
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Milliseconds since it was started. */
  get ageMs(): number {
    return performance.now() - this.#startedMs
  }

  send(message: ToWorker): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  /** It ends by itself; before it has greeted it has nothing that it would have to end. */
  stop(): void {
    if (this.#isGreeted) this.send({ kind: 'stop' })
    else this.#child.kill('SIGKILL')
  }

  /** Undefined: it does not answer. */
  ask<What extends keyof Questions>(
    what: What,
    ask: Questions[What]['ask'],
    withinMs = answerWithinMs,
  ): Promise<Questions[What]['answer'] | undefined> {
    const number = (this.#asked += 1)
    return new Promise((resolve) => {
      const deadline = setTimeout(() => this.#answered(number, undefined), withinMs)
      this.#waiting.set(number, { resolve, deadline })
      this.send({ kind: 'ask', number, what, ask })
    })
  }

  /**
   * Who hangs must go: the kernel goes on giving it its part of the connections. Silence is counted by our own timers, so that
   * nobody is taken for dead because the whole machine stood still.
   */
  #watch(onSilence: (isSilent: boolean) => void): void {
    if (this.#isServing && this.#isOwing) {
      this.#silences += 1
      onSilence(true)
      if (this.#silences >= maxSilences) this.#child.kill('SIGKILL')
      return
    }
    if (this.#silences > 0) onSilence(false)
    this.#silences = 0
    if (!this.#isServing) return
    this.#isOwing = true
    void this.#expectSign()
  }

  async #expectSign(): Promise<void> {
    if ((await this.ask('settled', undefined, signEveryMs * maxSilences)) === true) this.#isOwing = false
  }

  #answered(number: number, answer: Questions[keyof Questions]['answer'] | undefined): void {
    const waiting = this.#waiting.get(number)
    this.#waiting.delete(number)
    clearTimeout(waiting?.deadline)
    waiting?.resolve(answer)
  }
}

/** Without our settings: a worker gets its configuration from us, so that one that is started later has the same. */
function environment(logLevel: string | undefined): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('FLEETROOT_'))
  return { ...Object.fromEntries(kept), ...(logLevel === undefined ? {} : { FLEETROOT_LOG_LEVEL: logLevel }) }
}
