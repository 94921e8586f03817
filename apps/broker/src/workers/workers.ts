import { BrokerError } from '../error.ts'
import type { Listening } from '../listener/open-listeners.ts'
import { type Logger, type ProcessMetrics, withoutGauges } from '@fleetroot/service'
import type { SerialNumber } from '@fleetroot/pki'
import type { Beginning, FromWorker, Questions, ToWorker } from './messages.ts'
import { Restarts } from './restarts.ts'
import { WorkerProcess } from './worker-process.ts'

/** What workers are made of, and who hears of them. */
export interface WorkersOptions {
  readonly count: number
  readonly logLevel: string | undefined
  /** What a worker that begins goes by, with the ports that are taken by the name of the listener. */
  readonly beginning: (number: number, ports: Beginning['ports']) => Beginning
  /** Tells a worker of every change from now on; returns the way to stop that. Called in the turn of `beginning`. */
  readonly follow: (tell: (message: ToWorker) => void) => () => void
  /** Hears of every session. */
  readonly onConnected: (serial: SerialNumber) => void
  /** Undefined: ready. */
  readonly onReadiness: (check: string, reason: string | undefined) => void
  /** A worker fails again and again: nothing is started any more. */
  readonly onGivenUp: (error: BrokerError) => void
  readonly log: Logger
}

interface Slot {
  readonly number: number
  readonly restarts: Restarts
  process: WorkerProcess | undefined
  isServing: boolean
  /** What it showed last at `/metrics`. */
  metrics: ProcessMetrics
  failure: (FromWorker & { kind: 'failed' })['failure'] | undefined
  /** Checks of this worker that are known to readiness. */
  readonly checks: Set<string>
  unfollow: () => void
  restart: NodeJS.Timeout | undefined
}

/** The processes that serve, started again when they end. */
export class Workers {
  readonly #options: WorkersOptions
  readonly #slots: readonly Slot[]
  /** What workers that are gone had counted. */
  #gone: Promise<ProcessMetrics> = Promise.resolve([])
  #listening: readonly Listening[] = []
  #isStopping = false
  #restarted = 0
  #onServing: (() => void) | undefined
  #onFailed: ((error: Error) => void) | undefined
  readonly #exits = new Set<Promise<void>>()

  constructor(options: WorkersOptions) {
    this.#options = options
    this.#slots = Array.from({ length: options.count }, (_, n) => ({
      number: n + 1,
      restarts: new Restarts(),
      process: undefined,
      isServing: false,
      metrics: [],
      failure: undefined,
      checks: new Set(),
      unfollow: () => undefined,
      restart: undefined,
    }))
  }

  /** Workers that serve. */
  get serving(): number {
    return this.#slots.filter(({ isServing }) => isServing).length
  }

  /** How often one was started again. */
  get restarted(): number {
    return this.#restarted
  }

  /**
   * Starts them and resolves when all serve, to where they listen. The first one alone: what keeps it from serving is said
   * once, and what ports it takes the others share. Rejects with what it says when one cannot serve.
   */
  async start(): Promise<readonly Listening[]> {
    const [first, ...others] = this.#slots
    for (const group of [[first!], others]) {
      if (group.length === 0) break
      await new Promise<void>((resolve, reject) => {
        this.#onServing = () => {
          if (group.every(({ isServing }) => isServing)) resolve()
        }
        this.#onFailed = reject
        for (const slot of group) this.#launch(slot)
      })
    }
    this.#onServing = undefined
    this.#onFailed = undefined
    return this.#listening
  }

  /** Asks all that serve; in the place of one that does not answer is undefined. */
  ask<What extends keyof Questions>(
    what: What,
    ask: Questions[What]['ask'],
  ): Promise<(Questions[What]['answer'] | undefined)[]> {
    const serving = this.#slots.filter(({ isServing }) => isServing)
    return Promise.all(serving.map(({ process }) => process!.ask(what, ask)))
  }

  /** The metrics of all, and what those had counted that are gone. Of one that does not answer: what it showed last. */
  async metrics(): Promise<readonly ProcessMetrics[]> {
    await Promise.all(
      this.#slots.map(async (slot) => {
        const { process } = slot
        const answer = await process?.ask('metrics', undefined)
        if (answer !== undefined && slot.process === process) slot.metrics = answer
      }),
    )
    return [...this.#slots.map(({ metrics }) => metrics), await this.#gone]
  }

  /** Ends them; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const { restart, process } of this.#slots) {
      clearTimeout(restart)
      process?.stop()
    }
    await Promise.all(this.#exits)
  }

  #launch(slot: Slot): void {
    const { logLevel } = this.#options
    const { number } = slot
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#exits.add(promise)
    slot.failure = undefined
    this.#tell(slot, '', 'is starting')
    const process = new WorkerProcess({
      logLevel,
      onMessage: (message) => this.#hear(slot, process, message),
      onSilence: (isSilent) => this.#tell(slot, '', isSilent ? 'does not answer' : undefined),
      onExit: (how) => {
        this.#exits.delete(promise)
        resolve()
        this.#ended(slot, process, how)
      },
    })
    slot.process = process
    this.#options.log.info({ worker: number, workerPid: process.pid }, 'worker started')
  }

  #hear(slot: Slot, process: WorkerProcess, message: FromWorker): void {
    switch (message.kind) {
      case 'hello': {
        if (this.#isStopping) return process.stop()
        const ports = Object.fromEntries(this.#listening.map(({ name, port }) => [name, port]))
        process.send({ kind: 'begin', beginning: this.#options.beginning(slot.number, ports) })
        slot.unfollow = this.#options.follow((change) => process.send(change))
        return undefined
      }
      case 'readiness':
        return this.#tell(slot, ` ${message.check}`, message.reason)
      case 'connected':
        return this.#options.onConnected(message.serial)
      case 'listening':
        if (this.#listening.length === 0) this.#listening = message.listening
        slot.isServing = true
        this.#tell(slot, '', undefined)
        return this.#onServing?.()
      case 'failed':
        slot.failure = message.failure
        return undefined
      case 'answer':
        return undefined
    }
  }

  #ended(slot: Slot, process: WorkerProcess, how: string): void {
    const { log, onGivenUp } = this.#options
    const { number, failure, metrics } = slot
    slot.unfollow()
    slot.unfollow = () => undefined
    slot.process = undefined
    slot.isServing = false
    this.#gone = this.#gone.then((gone) => withoutGauges(metrics, gone))
    slot.metrics = []
    for (const check of slot.checks) if (check !== '') this.#tell(slot, check, undefined)
    this.#tell(slot, '', `ended ${how}`)
    if (this.#isStopping) return
    if (this.#onFailed !== undefined) {
      const message = `worker ${number} ended ${how} before it served; see its log`
      this.#onFailed(Object.assign(new Error(message), failure))
      return
    }
    const why = { worker: number, workerPid: process.pid, reason: failure?.message ?? how }
    const waitMs = slot.restarts.ended(process.ageMs)
    if (waitMs === undefined) {
      this.#isStopping = true
      const times = `${slot.restarts.failures} times in a row`
      const last = `the last time it ended ${how}${failure === undefined ? '' : `: ${failure.message}`}`
      const sentence = `worker ${number} has ended soon after its start ${times} and is not started again; ${last}`
      onGivenUp(new BrokerError('worker-failed', sentence))
      return
    }
    log.error({ ...why, restartInMs: waitMs }, `worker ${number} ended ${how} and is started again`)
    slot.restart = setTimeout(() => {
      this.#restarted += 1
      this.#launch(slot)
    }, waitMs)
  }

  #tell(slot: Slot, check: string, reason: string | undefined): void {
    slot.checks.add(check)
    this.#options.onReadiness(`worker ${slot.number}${check}`, reason)
  }
}
