import { isIP } from 'node:net'
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'

import { clientTlsOptions, type KeyAndCertificate, type TlsMode } from '@fleetroot/tls-config'

import { DeviceClientError } from '../error.ts'
import { connectionFailure } from '../https/failure.ts'
import { hostOf } from '../https/url.ts'

/** How a device speaks TLS to its broker: one context for all of its connections, and the last session. */
export interface BrokerTls {
  readonly options: ConnectionOptions
  readonly context: SecureContext
  /** Session of the last connection, whose server was verified; resuming it saves both sides the signatures. */
  session: Buffer | undefined
}

/** Settings of `brokerTls`. */
export interface BrokerTlsSettings {
  trust: readonly string[]
  identity: KeyAndCertificate
  mode: TlsMode
  serverName: string | undefined
}

/** Builds the context. Throws TlsConfigError if `trust` holds no CA, DeviceClientError `option-invalid` for a bad pair. */
export function brokerTls(settings: BrokerTlsSettings): BrokerTls {
  const { trust, identity, mode, serverName } = settings
  const tls = clientTlsOptions({ trust, identity, mode, ...(serverName === undefined ? {} : { serverName }) })
  const { key: _key, cert: _cert, ca: _ca, ...options } = tls
  try {
    return { options, context: createSecureContext(tls), session: undefined }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DeviceClientError(
      'option-invalid',
      `identity: key and certificate are no pair that TLS takes (${why})`,
      {
        cause: error,
      },
    )
  }
}

/**
 * Opens a TLS connection whose server is verified: its chain, its validity and its name, on resumed sessions
 * too. Nothing is written before.
 *
 * Throws DeviceClientError `network-failed`, `tls-failed`, `timed-out` or `aborted`.
 */
export async function openTlsSocket(
  url: URL,
  tls: BrokerTls,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<TLSSocket> {
  if (signal.aborted) throw aborted()
  const host = hostOf(url)
  const { promise, resolve, reject } = Promise.withResolvers<TLSSocket>()
  const socket = connect({
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...tls.options,
    host,
    port: Number(url.port || (url.protocol === 'wss:' ? 443 : 8883)),
    secureContext: tls.context,
    ...(tls.session === undefined ? {} : { session: tls.session }),
  })
  // A small PUBLISH must not wait for the acknowledgement of the one before.
  socket.setNoDelay(true)
  let verified = false
  let session: Buffer | undefined
  socket.on('session', (latest) => {
    session = latest
    if (verified) tls.session = latest
  })
  const onSecure = () => {
    const problem = socket.isSessionReused() ? resumedServerProblem(socket, tls.options, host) : undefined
    if (problem) {
      reject(problem)
      return
    }
    verified = true
    tls.session = session ?? tls.session
    resolve(socket)
  }
  const onError = (error: Error) => reject(connectionFailure(error, url.host))
  const onClose = () =>
    reject(new DeviceClientError('network-failed', `${url.host} closed the connection during TLS`))
  const onAbort = () => reject(aborted())
  const deadline = setTimeout(() => {
    reject(
      new DeviceClientError('timed-out', `no TLS connection to ${url.host} within ${timeoutMs / 1000} s`),
    )
  }, timeoutMs)
  socket.once('secureConnect', onSecure)
  socket.once('error', onError)
  socket.once('close', onClose)
  signal.addEventListener('abort', onAbort, { once: true })
  try {
    return await promise
  } catch (error) {
    // A ticket that did not work once is not tried again.
    tls.session = undefined
    socket.on('error', () => undefined)
    socket.destroy()
    throw error
  } finally {
    clearTimeout(deadline)
    socket.off('secureConnect', onSecure)
    socket.off('error', onError)
    socket.off('close', onClose)
    signal.removeEventListener('abort', onAbort)
  }
}

/** Node verifies neither name nor validity again when a session is resumed; a certificate may expire meanwhile. */
function resumedServerProblem(
  socket: TLSSocket,
  options: ConnectionOptions,
  host: string,
): DeviceClientError | undefined {
  const certificate = socket.getPeerX509Certificate()
  const expired = certificate === undefined || Date.parse(certificate.validTo) <= Date.now()
  const misnamed = options.checkServerIdentity?.(host, socket.getPeerCertificate())
  if (!expired && misnamed === undefined) return undefined
  return new DeviceClientError(
    'tls-failed',
    `the certificate of ${host} ${expired ? 'expired' : 'is for another host'} since the last connection`,
    { tlsCode: expired ? 'CERT_HAS_EXPIRED' : 'ERR_TLS_CERT_ALTNAME_INVALID', cause: misnamed },
  )
}

function aborted(): DeviceClientError {
  return new DeviceClientError('aborted', 'the connection was closed while it was being opened')
}
