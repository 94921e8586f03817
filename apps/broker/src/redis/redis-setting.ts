import { readFileSync } from 'node:fs'
import { ServiceError } from '@fleetroot/service'
import { z } from 'zod'

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
  /** Certificates of the CAs that vouch for Redis, PEM; left out: those of the system. Only with `rediss://`. */
  readonly ca?: string
  /** Every key begins with it and a colon. */
  readonly prefix: string
}

/** The part of the configuration that is about Redis. */
export interface RedisConfig {
  readonly redis?: string | undefined
  readonly redisPassword?: string | undefined
  readonly redisCa?: string | undefined
  readonly redisPrefix: string
}

/**
 * Where the configuration says that Redis is; undefined: nowhere. Throws ServiceError `config` when parts of it contradict each
 * other or the file of CAs cannot be read.
 */
export function redisAddress(config: RedisConfig): RedisAddress | undefined {
  const { redis: url, redisPassword: password, redisCa, redisPrefix: prefix } = config
  if (url === undefined) {
    if (password === undefined && redisCa === undefined) return undefined
    const given = password === undefined ? '--redis-ca' : 'FLEETROOT_BROKER_REDIS_PASSWORD'
    throw new ServiceError('config', `${given} is given without --redis: add --redis=redis://HOST:PORT`)
  }
  if (redisCa !== undefined && !url.startsWith('rediss:')) {
    throw new ServiceError('config', '--redis-ca is for TLS: use rediss:// in --redis, or leave it out')
  }
  return {
    url,
    prefix,
    ...(password === undefined ? {} : { password }),
    ...(redisCa === undefined ? {} : { ca: read(redisCa) }),
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ServiceError('config', `--redis-ca: cannot read ${path}: ${(cause as Error).message}`, {
      cause,
    })
  }
}
