import { explainTlsFailure } from '@fleetroot/tls-config'
import { type RedisAddress, redisHost } from './redis-setting.ts'

/** Which settings a failure is about, by the code of `explainTlsFailure`. */
const settings: Readonly<Record<string, string>> = {
  'unknown-authority': '--redis-ca',
  'fake-authority': '--redis-ca',
  'wrong-host-name': '--redis',
  'not-tls': '--redis: rediss:// needs the tls-port of Redis',
  'no-certificate': '--redis-cert and --redis-key',
  'handshake-refused': '--redis-cert and --redis-key',
  'own-certificate-refused': '--redis-cert',
  'own-certificate-expired': '--redis-cert',
  'own-certificate-revoked': '--redis-cert',
  'own-certificate-unknown-authority': '--redis-cert',
}

/** Why there is no connection to Redis (undefined: it said nothing), with the settings that it is about; never with a password. */
export function explainConnectionFailure(error: Error | undefined, { url, tls }: RedisAddress): string {
  const prefix = `no connection to Redis at ${url}: `
  const message = error?.message ?? ''
  if (message.startsWith('WRONGPASS')) {
    return `${prefix}it refuses the user or the password (--redis, FLEETROOT_BROKER_REDIS_PASSWORD): ${message}`
  }
  if (message.startsWith('NOAUTH'))
    return `${prefix}it asks for a password (FLEETROOT_BROKER_REDIS_PASSWORD, and a user in --redis): ${message}`
  if (error === undefined) {
    const hint = tls === undefined ? '--redis: does it want rediss://?' : '--redis-cert and --redis-key'
    return `${prefix}it closes the connection without a word; see ${hint}`
  }
  if (tls === undefined) return `${prefix}${message}`
  const { code, sentence } = explainTlsFailure(error, { side: 'client', host: redisHost(url) })
  if (code === 'unknown') return `${prefix}${message}`
  const setting = settings[code]
  return `${prefix}${sentence.replace(/\.$/, '')} (${message})${setting === undefined ? '' : `; see ${setting}`}`
}
