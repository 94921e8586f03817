import { isIP } from 'node:net'
import {
  type ConnectionOptions,
  connect,
  createSecureContext,
  type SecureContext,
  type TLSSocket,
} from 'node:tls'

import {
  clientTlsOptions,
  type KeyAndCertificate,
  type ServerIdentity,
  type TlsMode,
} from '@fleetroot/tls-config'

import { DeviceClientError } from '../error.ts'
import { connectionFailure } from '../https/failure.ts'
import { hostOf } from '../https/url.ts'
import { type Trust, trustPem } from '../trust/anchors.ts'

/** How a device speaks TLS to its broker: one context for its connections until its trust anchors change. */
export interface BrokerTls {
  /** For the anchors of now. When they changed, the last session is forgotten: other anchors have proven it. */
  readonly current: () => { readonly options: ConnectionOptions; readonly context: SecureContext }
  /** Of the last connection; resuming it saves both sides the signatures. */
  session: VerifiedSession | undefined
}

/**
 * A TLS session from a connection whose server was verified, chain and name, for this context and host. A
 * resumed session shows no certificate, so what must be known of it later is kept beside it.
 */
export interface VerifiedSession {
  readonly ticket: Buffer
  /** Node would resume beyond it. */
  readonly serverNotAfterMs: number
}

/** Settings of `brokerTls`. */
export interface BrokerTlsSettings {
  trust: Trust
  identity: KeyAndCertificate
  mode: TlsMode
  serverName?: string | undefined
  server?: ServerIdentity | undefined
}

/** Builds the context. Throws TlsConfigError if `trust` holds no CA, DeviceClientError `option-invalid` for a bad pair. */
export function brokerTls(settings: BrokerTlsSettings): BrokerTls {
  let pem = trustPem(settings.trust)
  let built = build(settings, pem)
  const tls: BrokerTls = {
    session: undefined,
    current: () => {
      const now = trustPem(settings.trust)
      if (now !== pem) {
        built = build(settings, now)
        pem = now
        tls.session = undefined
      }
      return built
    },
  }
  return tls
}

function build({ identity, mode, serverName, server }: BrokerTlsSettings, trust: readonly string[]) {
  const tls = clientTlsOptions({
    trust,
    identity,
    mode,
    ...(serverName === undefined ? {} : { serverName }),
    ...(server === undefined ? {} : { server }),
  })
  const { key: _key, cert: _cert, ca: _ca, ...options } = tls
  try {
    return { options, context: createSecureContext(tls) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new DeviceClientError(
      'option-invalid',
      `identity: key and certificate are no pair that TLS takes (${why})`,
      { cause: error },
    )
  }
}

/**
 * Opens a TLS connection whose server is verified: chain, validity and name, or that they were when the
 * session that is resumed began and the certificate has not expired since. Nothing is written before.
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
  const { options, context } = tls.current()
  const resumable =
    tls.session !== undefined && Date.now() < tls.session.serverNotAfterMs ? tls.session : undefined
  const socket = connect({
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...options,
    host,
    port: Number(url.port || (url.protocol === 'wss:' ? 443 : 8883)),
    secureContext: context,
    ...(resumable === undefined ? {} : { session: resumable.ticket }),
  })
  // A small PUBLISH must not wait for the acknowledgement of the one before.
  socket.setNoDelay(true)
  let serverNotAfterMs: number | undefined
  let early: Buffer | undefined
  // TLS 1.2 gives the session before the server is verified, 1.3 after it, twice.
  socket.on('session', (ticket) => {
    if (serverNotAfterMs === undefined) early = ticket
    else tls.session = { ticket, serverNotAfterMs }
  })
  const onSecure = () => {
    const certificate = socket.getPeerX509Certificate()
    serverNotAfterMs = certificate ? Date.parse(certificate.validTo) : resumable?.serverNotAfterMs
    if (serverNotAfterMs === undefined) {
      reject(
        new DeviceClientError('tls-failed', `${url.host} showed no certificate`, {
          tlsCode: 'no-certificate',
        }),
      )
      return
    }
    if (early) tls.session = { ticket: early, serverNotAfterMs }
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

function aborted(): DeviceClientError {
  return new DeviceClientError('aborted', 'the connection was closed while it was being opened')
}
