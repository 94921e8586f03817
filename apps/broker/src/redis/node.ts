import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@fleetroot/service'
import type { Redis } from 'ioredis'
import { BrokerError } from '../error.ts'
import { Connections } from './connections.ts'
import { Liveness } from './liveness.ts'
import { Log, type LogEntry } from './log.ts'
import type { RedisAddress } from './redis-setting.ts'
import { type Argument, isAnswer, isFenced, type ScriptName, Scripts } from './scripts.ts'
import { askRun, isNotTheMaster, NotTheMaster } from './server-run.ts'

/** What a node does as one of many. */
export interface NodeMember {
  /** Begins with nothing, at this version; loads what there is. */
  readonly begin: (version: number) => Promise<void>
  /** Goes on where it was: nothing was missed, but answers may be. */
  readonly resume: () => Promise<void>
  /** Ends all that it holds, because others may take it over or have done so. */
  readonly lose: () => Promise<void>
  readonly onEntry: (entry: LogEntry) => void
  readonly onPause: () => void
  /** A dead node has left something to do. */
  readonly onLeft: () => void
}

/** What a node is made of. */
export interface NodeOptions {
  readonly address: RedisAddress
  readonly log: Logger
  /** After this long without a sign of life a node is dead to the others, in milliseconds. */
  readonly timeoutMs: number
  /** Bytes of the log that the slowest node may be behind. */
  readonly maxBehindBytes: number
  /** Hears why nothing can be kept, and when it can be again (undefined), the first time included. */
  readonly onHealth: (failure: BrokerError | undefined) => void
  readonly member: NodeMember
}

/** Entries of the log that the slowest node may be behind. */
const maxBehind = 200_000
const retryMs = 250

/**
 * One of the brokers that share a Redis. It shows a sign of life every second and looks for those of the others; who shows none is
 * declared dead by one of them, and from then on every script refuses what it writes. A node that was declared dead, that was cut
 * off for so long that it may have been, or whose Redis has restarted and may have forgotten something, ends its sessions and begins anew
 * under another name.
 */
export class RedisNode {
  /** Random, and another one after each beginning. */
  id = ''
  readonly #log: Log
  readonly #options: NodeOptions
  readonly #scripts: Scripts
  readonly #connections: Connections
  readonly #liveness: Liveness
  readonly #ticking: NodeJS.Timeout
  #failure: BrokerError | undefined = new BrokerError('store-failed', 'not connected to Redis yet')
  /** When the last sign of life was sent that Redis has: nobody counts from before. */
  #aliveMs = performance.now()
  /** When everything was well again. */
  #wellMs = performance.now()
  #beats = 0
  /** Since when an answer is due. */
  #askedMs: number | undefined
  #losing: NodeJS.Timeout | undefined
  readonly #tickMs: number
  #tickedMs = performance.now()
  #wasLate = false
  #redisRun = ''
  #isLost = false
  #isClosed = false
  #recovering: Promise<void> | undefined

  constructor(options: NodeOptions) {
    this.#options = options
    const { address, member, timeoutMs } = options
    this.#connections = new Connections(address, (failure) => {
      if (failure !== undefined) this.#fall(failure)
      this.#recover()
    })
    this.#scripts = new Scripts(this.main, address.prefix)
    this.#log = new Log({
      connection: this.#connections.log,
      key: `${address.prefix}:log`,
      onEntry: member.onEntry,
      onPause: member.onPause,
    })
    this.#liveness = new Liveness(timeoutMs)
    this.#tickMs = Math.min(1_000, timeoutMs / 4)
    this.#ticking = setInterval(() => this.#tick(), this.#tickMs)
  }

  /** The connection for commands. */
  get main(): Redis {
    return this.#connections.main
  }

  /** Why nothing can be kept now; undefined: it can. */
  get failure(): BrokerError | undefined {
    return this.#failure
  }

  /** Runs a script in the name of this node; rejects while nothing can be kept. */
  run(name: ScriptName, args: readonly Argument[] = []): Promise<unknown> {
    return this.#failure === undefined
      ? this.#scripts.run(name, this.id, args)
      : Promise.reject(this.#failure)
  }

  /** Resolves when the log has been read up to this entry; rejects while nothing can be kept. */
  reach(id: string): Promise<void> {
    return this.#failure === undefined ? this.#log.reach(id) : Promise.reject(this.#failure)
  }

  /** As `run` of what is tried again after a failure. */
  insist(name: ScriptName, args: readonly Argument[]): Promise<unknown> {
    return this.#scripts.run(name, this.id, args)
  }

  /** Redis has refused or not answered: it is looked into, and nothing is kept until it is well again. */
  fail(cause: unknown): void {
    if (isFenced(cause)) this.#isLost = true
    if (isNotTheMaster(cause)) this.#connections.leave()
    if (this.#failure === undefined)
      this.#fall(cause instanceof BrokerError || isAnswer(cause) ? cause : this.#unreachable(cause as Error))
    this.#recover()
  }

  /** Lets go of everything, in order. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#ticking)
    clearTimeout(this.#losing)
    await this.#recovering
    if (this.#failure === undefined) await this.#scripts.run('leave', this.id).catch(() => undefined)
    this.#log.end(new BrokerError('store-failed', 'the store is closed'))
    this.#connections.close()
  }

  /** A call may know before its connection does, and says nothing of where Redis is. */
  #unreachable(cause: Error): Error {
    return new Error(`no connection to Redis at ${this.#options.address.url}: ${cause.message}`, { cause })
  }

  #fall(cause: unknown): void {
    if (this.#isClosed || cause === this.#failure) return
    const reason = (cause as Error).message
    const before = this.#failure
    if (before === undefined) {
      this.#askedMs = undefined
      this.#loseInTime()
    }
    this.#failure = new BrokerError(
      'store-failed',
      `${reason}; nothing is acknowledged until Redis keeps it`,
      {
        cause,
      },
    )
    this.#log.abandon(this.#failure)
    if (before?.message !== this.#failure.message) this.#options.onHealth(this.#failure)
  }

  #recover(): void {
    this.#recovering ??= this.#tryToRecover().finally(() => (this.#recovering = undefined))
  }

  async #tryToRecover(): Promise<void> {
    while (!this.#isClosed && this.#connections.areUp && this.#failure !== undefined) {
      try {
        await this.#scripts.load()
        const redisRun = await askRun(this.main)
        if (redisRun !== (await this.#connections.logRun))
          throw new NotTheMaster('two Redis answer at one address')
        const isSame = !this.#isLost && this.id !== '' && redisRun === this.#redisRun
        if (isSame) await this.#goOn()
        else await this.#begin(redisRun)
        this.#failure = undefined
        this.#askedMs = undefined
        this.#wellMs = performance.now()
        this.#liveness.forget()
        this.#options.onHealth(undefined)
      } catch (error) {
        if (isFenced(error)) this.#isLost = true
        // Otherwise there is a better reason.
        else if (this.#connections.areUp) this.#fall(error)
        if (isNotTheMaster(error)) this.#connections.leave()
        await delay(retryMs)
      }
    }
  }

  async #goOn(): Promise<void> {
    await this.#beat()
    await this.#options.member.resume()
  }

  async #begin(redisRun: string): Promise<void> {
    const { member, log } = this.#options
    // Until it has: whoever has read half of what there is begins again, and does not go on with that.
    this.#isLost = true
    const previous = this.id
    if (previous !== '') {
      log.warn(
        { node: previous },
        'this node may have been given up by the others, or knows half of what there is: it ends its sessions and begins anew',
      )
      await member.lose()
    }
    this.#log.end(new BrokerError('store-failed', 'the node begins anew'))
    const id = randomBytes(9).toString('base64url')
    const sentMs = performance.now()
    const [position, version] = (await this.#scripts.run('join', id, [previous])) as [Buffer, Buffer]
    this.id = id
    this.#aliveMs = sentMs
    this.#redisRun = redisRun
    this.#beats = 0
    await member.begin(Number(version))
    this.#isLost = false
    this.#log.begin(position.toString())
  }

  #tick(): void {
    const now = performance.now()
    // Who has stood still itself may have answers that it has not looked at.
    const isLate = !this.#wasLate && now - this.#tickedMs > 1.5 * this.#tickMs
    this.#tickedMs = now
    this.#wasLate = isLate
    const silence = isLate ? undefined : this.#silence(now)
    if (silence !== undefined) {
      this.#askedMs = undefined
      this.#fall(new Error(`Redis at ${this.#options.address.url} ${silence}`))
      this.#connections.leave()
    } else if (this.#askedMs === undefined) {
      if (this.#failure === undefined) this.#beat().catch((error: unknown) => this.fail(error))
      else if (this.#connections.areUp) this.#ask()
    }
    if (this.#failure !== undefined) this.#recover()
  }

  /** Ends everything when the others may take it over, should there be no answer until then. */
  #loseInTime(): void {
    const { timeoutMs, member } = this.#options
    clearTimeout(this.#losing)
    this.#losing = setTimeout(
      () => {
        if (this.#failure === undefined || this.#isLost || this.id === '' || this.#isClosed) return
        if (performance.now() < this.#aliveMs + timeoutMs) return this.#loseInTime()
        this.#isLost = true
        void member.lose()
      },
      Math.max(0, this.#aliveMs + timeoutMs - performance.now()),
    )
  }

  /** What is wrong with the answers, if something is: a Redis that stands still keeps its connections. */
  #silence(now: number): string | undefined {
    const { timeoutMs } = this.#options
    if (this.#askedMs !== undefined && now - this.#askedMs > 0.45 * timeoutMs) return 'does not answer'
    if (this.#failure !== undefined || now - this.#wellMs <= timeoutMs) return undefined
    return now - this.#log.answeredMs > timeoutMs ? 'does not answer where the log is read' : undefined
  }

  /** While it is being recovered, which may take long where there is much to read. */
  #ask(): void {
    const askedMs = (this.#askedMs = performance.now())
    const answered = (): void => {
      if (this.#askedMs === askedMs) this.#askedMs = undefined
    }
    this.main.time().then(answered, answered)
  }

  async #beat(): Promise<void> {
    const { member, maxBehindBytes } = this.#options
    const sentMs = performance.now()
    this.#askedMs = sentMs
    const words = [(this.#beats += 1), this.#log.position, maxBehind, maxBehindBytes]
    const answered = this.#scripts.run('beat', this.id, words).finally(() => (this.#askedMs = undefined))
    const [nodes, left] = (await answered) as [Buffer[], number]
    this.#aliveMs = sentMs
    const signs = new Map<string, string>()
    for (let n = 0; n < nodes.length; n += 2) signs.set(nodes[n]!.toString(), nodes[n + 1]!.toString())
    if (left > 0) member.onLeft()
    for (const [node, sign] of this.#liveness.dead(signs, this.id)) {
      this.#options.log.warn({ node }, 'another node shows no sign of life: what it held is taken over')
      await this.#scripts.run('bury', this.id, [node, sign])
    }
  }
}
