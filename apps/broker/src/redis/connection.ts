import { Redis, type RedisOptions } from 'ioredis'
import type { RedisAddress } from './redis-setting.ts'

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

/**
 * Opens a connection to Redis, which connects by itself, again and again. It keeps nothing back: a command that cannot be sent now
 * is rejected, and one whose answer was lost is not sent again, because only its caller knows whether it may be.
 */
export function openConnection({ address, name, onHealth }: ConnectionOptions): Redis {
  const connection = new Redis(connectionOptions(address, name))
  let reason = new Error('not connected yet')
  let isHealthy: boolean | undefined
  connection.on('error', (error: Error) => (reason = error))
  connection.on('ready', () => {
    isHealthy = true
    reason = new Error('the connection was closed')
    onHealth(undefined)
  })
  connection.on('close', () => {
    if (isHealthy === false) return
    isHealthy = false
    onHealth(new Error(`no connection to Redis at ${address.url}: ${reason.message}`, { cause: reason }))
  })
  return connection
}

function connectionOptions(
  { url, password, ca }: RedisAddress,
  name: string,
): RedisOptions & { replyMapping: 'legacy' } {
  const { protocol, hostname, port, username, pathname } = new URL(url)
  const host = hostname.replace(/^\[|\]$/g, '')
  return {
    host,
    port: port === '' ? 6379 : Number(port),
    db: Number(pathname.slice(1)),
    connectionName: name,
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === undefined ? {} : { password }),
    ...(protocol === 'rediss:' ? { tls: ca === undefined ? {} : { ca } } : {}),
    protocol: 2,
    replyMapping: 'legacy',
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    // Rejects what was under way when a connection is lost; without it ioredis would leave it unanswered for good.
    maxRetriesPerRequest: 0,
    retryStrategy: retryMs,
    connectTimeout: 5_000,
  }
}
