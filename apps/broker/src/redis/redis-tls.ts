import { type ConnectionOptions, getCACertificates } from 'node:tls'
import { isIP } from 'node:net'
import { ServiceError } from '@fleetroot/service'
import { clientTlsOptions, loadIdentity, loadTrust } from '@fleetroot/tls-config'

/** The files that a connection with `rediss://` is made with. */
export interface RedisTlsFiles {
  /** CAs that vouch for Redis, PEM; left out: those of the system. */
  readonly ca: string | undefined
  /** Certificate chain and key of the broker as a client of Redis; left out: it shows none. */
  readonly identity: { readonly certFile: string; readonly keyFile: string } | undefined
}

/**
 * Options of a connection to Redis at `host`, from the files as they are now. Redis is always verified, by a name or an address among
 * the subject alternative names of its certificate. Throws ServiceError `config` that names the flag.
 */
export function redisTls(host: string, { ca, identity }: RedisTlsFiles): ConnectionOptions {
  const own =
    identity === undefined
      ? undefined
      : named('--redis-cert, --redis-key', () => loadIdentity(identity, new Date()))
  const known = own === undefined ? {} : { identity: own }
  if (ca === undefined) {
    return {
      minVersion: 'TLSv1.2',
      ca: getCACertificates('system'),
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(own === undefined ? {} : { key: own.key, cert: own.cert }),
    }
  }
  const trust = named('--redis-ca', () => loadTrust(ca).map(({ pem }) => pem))
  return clientTlsOptions({ trust, mode: 'compatible', serverName: host, ...known })
}

function named<Value>(flag: string, load: () => Value): Value {
  try {
    return load()
  } catch (cause) {
    throw new ServiceError('config', `${flag}: ${(cause as Error).message}`, { cause })
  }
}
