import type { ConnectionOptions } from 'node:tls'
import { ServiceError } from '@fleetroot/service'
import { z } from 'zod'
import { redisTls } from './redis-tls.ts'

/** Schema of where Redis is. A password is not a part of it: flags are seen by everybody, and addresses are logged. */
export const redisUrl = z
  .url({ protocol: /^rediss?$/, error: 'must be redis://HOST:PORT or rediss://HOST:PORT' })
  .refine((url) => new URL(url).password === '', {
    error: 'must not hold a password: give it with FLEETROOT_BROKER_REDIS_PASSWORD',
  })
  .refine((url) => /^\/?\d*$/.test(new URL(url).pathname), {
    error: 'must end with the number of a database, or without a path',
  })

/** What is kept in Redis begins with it, so that fleets may share one. */
export const redisPrefix = z
  .string()
  .regex(/^[\w.-]{1,64}$/, { error: 'must be 1 to 64 letters, digits, dots, dashes and underscores' })
  .default('fleetroot')

/** Where Redis is, and as whom to use it. */
export interface RedisAddress {
  /** `redis://user@host:port/db`, or `rediss://` for TLS; never with a password. */
  readonly url: string
  readonly password?: string
  /**
   * With `rediss://`: what a connection is made with, read from the files anew for each, because certificates are renewed. Throws
   * ServiceError `config` when they are not what they should be.
   */
  readonly tls?: () => ConnectionOptions
  /** Every key begins with it and a colon. */
  readonly prefix: string
}

/** The part of the configuration that is about Redis. */
export interface RedisConfig {
  readonly redis?: string | undefined
  readonly redisPassword?: string | undefined
  readonly redisCa?: string | undefined
  readonly redisCert?: string | undefined
  readonly redisKey?: string | undefined
  readonly redisUnencrypted: boolean
  readonly redisPrefix: string
}

/**
 * Where the configuration says that Redis is; undefined: nowhere. Throws ServiceError `config` when parts of it contradict each
 * other, a file cannot be used, or a network would see what nobody may see.
 */
export function redisAddress(config: RedisConfig): RedisAddress | undefined {
  const { redis: url, redisPassword: password, redisPrefix: prefix } = config
  const given = givenBesides(config)
  if (url === undefined) {
    if (given === undefined) return undefined
    throw new ServiceError('config', `${given} is given without --redis: add --redis=redis://HOST:PORT`)
  }
  const shared = { url, prefix, ...(password === undefined ? {} : { password }) }
  const host = redisHost(url)
  if (url.startsWith('rediss:')) {
    if (config.redisUnencrypted)
      throw new ServiceError('config', '--redis-unencrypted contradicts rediss:// in --redis: leave it out')
    const tls = (): ConnectionOptions => redisTls(host, files(config))
    tls()
    return { ...shared, tls }
  }
  const forTls = [config.redisCa, config.redisCert, config.redisKey].some((file) => file !== undefined)
  if (forTls)
    throw new ServiceError('config', `${given} is for TLS: use rediss:// in --redis, or leave it out`)
  if (!isLoopback(host) && !config.redisUnencrypted) {
    throw new ServiceError(
      'config',
      `--redis: redis:// to ${host} would send every message, and the password, over the network as they are, and believe whoever ` +
        'answers there: use rediss:// (with --redis-ca), or --redis-unencrypted where something else encrypts that network',
    )
  }
  return shared
}

/** The host of an address, an IPv6 address without brackets. */
export function redisHost(url: string): string {
  return new URL(url).hostname.replace(/^\[|\]$/g, '')
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d+){3}$/.test(host)
}

/** The first setting that makes no sense without an address. */
function givenBesides(config: RedisConfig): string | undefined {
  if (config.redisCa !== undefined) return '--redis-ca'
  if (config.redisCert !== undefined) return '--redis-cert'
  if (config.redisKey !== undefined) return '--redis-key'
  if (config.redisPassword !== undefined) return 'FLEETROOT_BROKER_REDIS_PASSWORD'
  return config.redisUnencrypted ? '--redis-unencrypted' : undefined
}

function files({ redisCa: ca, redisCert: certFile, redisKey: keyFile }: RedisConfig) {
  if (certFile === undefined && keyFile === undefined) return { ca, identity: undefined }
  if (certFile === undefined || keyFile === undefined)
    throw new ServiceError('config', '--redis-cert and --redis-key belong together: give both, or neither')
  return { ca, identity: { certFile, keyFile } }
}
