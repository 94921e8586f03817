import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '@fleetroot/service'
import type { Redis } from 'ioredis'
import { BrokerError } from '../error.ts'
import { openConnection } from './connection.ts'
import { Liveness } from './liveness.ts'
import { Log, type LogEntry } from './log.ts'
import type { RedisAddress } from './redis-setting.ts'
import { type Argument, isAnswer, isFenced, type ScriptName, Scripts } from './scripts.ts'

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
  readonly main: Redis
  readonly #log: Log
  readonly #options: NodeOptions
  readonly #scripts: Scripts
  readonly #logConnection: Redis
  readonly #down = new Set<Redis>()
  readonly #liveness: Liveness
  readonly #ticking: NodeJS.Timeout
  #failure: BrokerError | undefined = new BrokerError('store-failed', 'not connected to Redis yet')
  #downSinceMs = performance.now()
  #beats = 0
  #beatSentMs: number | undefined
  #redisRun = ''
  #isLost = false
  #isClosed = false
  #recovering: Promise<void> | undefined

  constructor(options: NodeOptions) {
    this.#options = options
    const { address, member, timeoutMs } = options
    this.main = this.#connect('fleetroot-broker')
    this.#logConnection = this.#connect('fleetroot-broker-log')
    this.#scripts = new Scripts(this.main, address.prefix)
    this.#log = new Log({
      connection: this.#logConnection,
      key: `${address.prefix}:log`,
      onEntry: member.onEntry,
      onPause: member.onPause,
    })
    this.#liveness = new Liveness(timeoutMs)
    this.#ticking = setInterval(() => this.#tick(), Math.min(1_000, timeoutMs / 4))
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
    // What was the master is a replica now: whoever is the master answers at the same address.
    if ((cause as Error).message.startsWith('READONLY')) this.main.disconnect(true)
    this.#fall(cause instanceof BrokerError || isAnswer(cause) ? cause : this.#unreachable(cause as Error))
    this.#recover()
  }

  /** Lets go of everything, in order. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#ticking)
    await this.#recovering
    if (this.#failure === undefined) await this.#scripts.run('leave', this.id).catch(() => undefined)
    this.#log.end(new BrokerError('store-failed', 'the store is closed'))
    for (const connection of [this.main, this.#logConnection]) connection.disconnect()
  }

  /** A call may know before its connection does, and says nothing of where Redis is. */
  #unreachable(cause: Error): Error {
    return new Error(`no connection to Redis at ${this.#options.address.url}: ${cause.message}`, { cause })
  }

  #connect(name: string): Redis {
    const { address } = this.#options
    const connection = openConnection({
      address,
      name,
      onHealth: (failure) => {
        if (failure === undefined) this.#down.delete(connection)
        else {
          this.#down.add(connection)
          this.#fall(failure)
        }
        this.#recover()
      },
    })
    this.#down.add(connection)
    return connection
  }

  #fall(cause: unknown): void {
    if (this.#isClosed || cause === this.#failure) return
    const reason = (cause as Error).message
    const isNew = this.#failure === undefined
    this.#failure = new BrokerError(
      'store-failed',
      `${reason}; nothing is acknowledged until Redis keeps it`,
      {
        cause,
      },
    )
    if (isNew) this.#downSinceMs = performance.now()
    this.#beatSentMs = undefined
    this.#log.abandon(this.#failure)
    if (isNew || this.id === '') this.#options.onHealth(this.#failure)
  }

  #recover(): void {
    this.#recovering ??= this.#tryToRecover().finally(() => (this.#recovering = undefined))
  }

  async #tryToRecover(): Promise<void> {
    while (!this.#isClosed && this.#down.size === 0 && this.#failure !== undefined) {
      try {
        await this.#scripts.load()
        const redisRun = await this.#askRun()
        const isSame = !this.#isLost && this.id !== '' && redisRun === this.#redisRun
        if (isSame) await this.#goOn()
        else await this.#begin(redisRun)
        this.#failure = undefined
        this.#liveness.forget()
        this.#options.onHealth(undefined)
      } catch (error) {
        if (isFenced(error)) this.#isLost = true
        else this.#fall(error)
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
    const previous = this.id
    if (previous !== '') {
      log.warn(
        { node: previous },
        'this node may have been given up by the others: it ends its sessions and begins anew',
      )
      await member.lose()
    }
    this.#log.end(new BrokerError('store-failed', 'the node begins anew'))
    const id = randomBytes(9).toString('base64url')
    const [position, version] = (await this.#scripts.run('join', id, [previous])) as [Buffer, Buffer]
    this.id = id
    this.#redisRun = redisRun
    this.#beats = 0
    await member.begin(Number(version))
    this.#isLost = false
    this.#log.begin(position.toString())
  }

  /** Another one after every restart of Redis, and of the replica that takes its place. */
  async #askRun(): Promise<string> {
    const answer = await this.main.info('server')
    return /^run_id:(\w+)/m.exec(answer)?.[1] ?? ''
  }

  #tick(): void {
    const { timeoutMs, member } = this.#options
    const now = performance.now()
    if (this.#failure === undefined) {
      if (this.#beatSentMs === undefined) {
        this.#beat().catch((error: unknown) => this.fail(error))
      } else if (now - this.#beatSentMs > timeoutMs / 2) {
        this.#fall(new Error(`Redis at ${this.#options.address.url} does not answer`))
        for (const connection of [this.main, this.#logConnection]) connection.disconnect(true)
      }
      return
    }
    this.#recover()
    if (this.id === '' || this.#isLost || now - this.#downSinceMs <= timeoutMs) return
    // By now the others may have taken over what is held here.
    this.#isLost = true
    void member.lose()
  }

  async #beat(): Promise<void> {
    const { member, maxBehindBytes } = this.#options
    this.#beatSentMs = performance.now()
    const [nodes, left] = (await this.#scripts.run('beat', this.id, [
      (this.#beats += 1),
      this.#log.position,
      maxBehind,
      maxBehindBytes,
    ])) as [Buffer[], number]
    this.#beatSentMs = undefined
    const signs = new Map<string, string>()
    for (let n = 0; n < nodes.length; n += 2) signs.set(nodes[n]!.toString(), nodes[n + 1]!.toString())
    if (left > 0) member.onLeft()
    for (const [node, sign] of this.#liveness.dead(signs, this.id)) {
      this.#options.log.warn({ node }, 'another node shows no sign of life: what it held is taken over')
      await this.#scripts.run('bury', this.id, [node, sign])
    }
  }
}
