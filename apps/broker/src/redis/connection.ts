import { Redis, type RedisOptions } from 'ioredis'
import { explainConnectionFailure } from './connection-failure.ts'
import { type RedisAddress, redisHost } from './redis-setting.ts'

/** What a connection to Redis is opened with. */
export interface ConnectionOptions {
  readonly address: RedisAddress
  /** How it calls itself in `CLIENT LIST`. */
  readonly name: string
  /**
   * Hears when the connection is lost, with the reason, and when it is there (undefined), the first time included. Commands
   * that were under way when it was lost have been rejected: nobody knows what became of them.
   */
  readonly onHealth: (failure: Error | undefined) => void
}

/** Between attempts to connect: from 50 ms to 1 s. */
const retryMs = (attempt: number): number => Math.min(1_000, 50 * 2 ** Math.min(attempt, 5))
/** Until it is connected, and from then on until it has answered. */
const patienceMs = 5_000

/**
 * Opens a connection to Redis, which connects by itself, again and again. It keeps nothing back: a command that cannot be sent now
 * is rejected, and one whose answer was lost is not sent again, because only its caller knows whether it may be.
 */
export function openConnection({ address, name, onHealth }: ConnectionOptions): Redis {
  const connection = new Redis(connectionOptions(address, name))
  let reason: Error | undefined
  let said: string | undefined
  let settle = (): void => undefined
  let isReady = false
  connection.on('error', (error: NodeJS.ErrnoException) => {
    // Which end of a broken connection is seen first is luck.
    const isSilence = !isReady && (error.code === 'ECONNRESET' || error.code === 'EPIPE')
    reason = isSilence ? reason : error
  })
  // Who takes connections and says nothing may be one whose address belongs to another one by now.
  connection.on('connect', () => {
    const { stream } = connection
    const mute = setTimeout(() => {
      reason = new Error('it takes connections and does not answer')
      connection.disconnect(true)
    }, patienceMs).unref()
    const hear = (): void => void mute.refresh()
    stream.on('data', hear)
    settle = () => {
      clearTimeout(mute)
      stream.off('data', hear)
    }
  })
  connection.on('ready', () => {
    settle()
    isReady = true
    said = undefined
    reason = new Error('the connection was closed')
    onHealth(undefined)
  })
  connection.on('close', () => {
    settle()
    const why = explainConnectionFailure(reason, address)
    reason = undefined
    isReady = false
    if (why === said) return
    said = why
    onHealth(new Error(why))
  })
  connection.on('reconnecting', () => {
    try {
      if (address.tls !== undefined) connection.options.tls = address.tls()
    } catch {
      // Files that are being replaced: what they said before may still do.
    }
  })
  return connection
}

function connectionOptions(
  { url, password, tls }: RedisAddress,
  name: string,
): RedisOptions & { replyMapping: 'legacy' } {
  const { port, username, pathname } = new URL(url)
  return {
    host: redisHost(url),
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.slice(1)),
    connectionName: name,
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls: tls() }),
    protocol: 2,
    replyMapping: 'legacy',
    enableOfflineQueue: false,
    // A command more that the user in Redis would need the right to.
    disableClientInfo: true,
    autoResendUnfulfilledCommands: false,
    // Nobody would hear that it was refused: not even ioredis, and a rejection that nobody hears ends the process.
    autoResubscribe: false,
    // Rejects what was under way when a connection is lost; without it ioredis would leave it unanswered for good.
    maxRetriesPerRequest: 0,
    retryStrategy: retryMs,
    connectTimeout: patienceMs,
    // One that reads its files answers so, and is asked again.
    maxLoadingRetryTime: 1_000,
    // A machine that is gone says nothing of it.
    keepAlive: patienceMs,
  }
}
