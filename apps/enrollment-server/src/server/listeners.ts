import type { AddressInfo } from 'node:net'
import type { Server as SecureServer, TLSSocket } from 'node:tls'
import type { Logger } from '@fleetroot/service'
import { serverTlsOptions, type TlsIdentity } from '@fleetroot/tls-config'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Authorities } from '../authority/authorities.ts'
import { type Authority, trustAnchors } from '../authority/authority.ts'
import type { CrlPublication } from '../crl/publication.ts'
import { crlRoutes } from '../crl/routes.ts'
import { estRoutes } from '../est/routes.ts'
import type { EventFeed } from '../events/feed.ts'
import { eventRoutes } from '../events/routes.ts'
import { createApp } from '../http/app.ts'
import { guardRoutes, recheckCaller } from '../http/access.ts'
import { createAttempts } from '../http/attempts.ts'
import type { Bootstrap } from '../http/bootstrap.ts'
import { caCertificateRoutes } from '../http/ca-routes.ts'
import { drainable } from '../http/drain.ts'
import type { RateLimits } from '../http/limits.ts'
import { createPeerReader } from '../http/peer.ts'
import type { OcspResponder } from '../ocsp/responder.ts'
import { ocspRoutes } from '../ocsp/routes.ts'
import type { Metrics } from './metrics.ts'
import { type RestDependencies, restRoutes } from '../rest/routes.ts'

/** A listener that serves. */
export interface Listener {
  readonly port: number
  close(): Promise<void>
}

/** What both listeners need. */
export interface ListenerOptions {
  readonly host: string
  readonly port: number
  readonly authorities: Authorities
  readonly logger: Logger
  readonly limits: RateLimits
  readonly metrics: Pick<Metrics, 'refusedAtGate' | 'refused' | 'ocspAnswered' | 'watchStreams'>
}

/** Where both listeners take what they say about certificates from; undefined while the server starts. */
export interface StatusSources {
  readonly crls: () => CrlPublication | undefined
  readonly ocsp: () => OcspResponder | undefined
}

/** Starts the HTTPS listener with EST and REST. `setIdentity` swaps its certificate, and whom it trusts, for new connections. */
export async function startSecureListener(
  options: ListenerOptions &
    Omit<RestDependencies, 'recheck'> &
    StatusSources & {
      identity: TlsIdentity
      feed: EventFeed
      bootstrap: Bootstrap
      serverKeygen: boolean
      /** PEM: named in the handshake, so that a device knows that its certificate from the factory is asked for. */
      manufacturerAnchors: readonly string[]
    },
): Promise<Listener & { setIdentity(identity: TlsIdentity): void }> {
  const { authorities, trustDomain, registry, now, logger, limits, metrics } = options
  const tls = (identity: TlsIdentity) =>
    tlsOptions(authorities.current(), identity, options.manufacturerAnchors)
  const app = await createApp({
    logger,
    limits,
    refused: metrics.refused,
    tls: tls(options.identity),
  })
  const gate = {
    registry,
    profiles: options.profiles,
    readPeer: createPeerReader(() => authorities.current(), trustDomain, now),
    bootstrap: options.bootstrap,
    now,
    ...createAttempts(app, limits),
    refused: (request: FastifyRequest, code: string) => {
      metrics.refusedAtGate(code)
      options.auditRefusal({ code, address: request.ip, path: request.routeOptions.url })
    },
  }
  guardRoutes(app, gate)
  const profileOf = async ({ raw }: FastifyRequest): Promise<string | undefined> => {
    const peer = gate.readPeer(raw.socket as TLSSocket)
    // A claim enrolls others, each for a profile of its own.
    if (peer.kind !== 'identity' || peer.role === 'claim') return undefined
    return (await registry.findDevice(peer.id))?.profile
  }
  await app.register(async (scope) => estRoutes(scope, { ...options, profileOf }))
  await app.register(async (scope) => {
    const recheck = (request: FastifyRequest) => recheckCaller(request, gate)
    await restRoutes(scope, { ...options, recheck })
    eventRoutes(scope, {
      ...options,
      recheck,
      watchStreams: metrics.watchStreams,
    })
  })
  await registerStatus(app, options)
  const drain = drainable(app.server)
  const port = await listen(app, options)
  const server = app.server as unknown as SecureServer
  // Scanners and clients that dislike our certificate: worth a line, never a crash.
  server.on('tlsClientError', (error) => logger.debug({ err: error }, 'TLS handshake failed'))
  return {
    port,
    close: () => drain(() => app.close()),
    setIdentity: (identity) => server.setSecureContext(tls(identity)),
  }
}

/** Starts the plain HTTP listener, which serves public files and nothing else. */
export async function startPlainListener(options: ListenerOptions & StatusSources): Promise<Listener> {
  const { logger, limits, metrics } = options
  const app = await createApp({ logger, limits, refused: metrics.refused })
  caCertificateRoutes(app, options.authorities)
  await registerStatus(app, options)
  const drain = drainable(app.server)
  return { port: await listen(app, options), close: () => drain(() => app.close()) }
}

async function registerStatus(
  app: FastifyInstance,
  { authorities, crls, ocsp, logger, metrics }: StatusSources & ListenerOptions,
): Promise<void> {
  crlRoutes(app, crls, () => authorities.refresh())
  await app.register(async (scope) =>
    ocspRoutes(scope, { responder: ocsp, logger, answered: metrics.ocspAnswered }),
  )
}

async function listen(app: FastifyInstance, { host, port }: ListenerOptions): Promise<number> {
  await app.listen({ host, port })
  return (app.server.address() as AddressInfo).port
}

/**
 * The issuing CAs are trust anchors beside the roots, because simpleenroll answers with the certificate alone
 * (RFC 7030, section 4.2.3), and a device may send just that. That TLS trusts manufacturers as well gives nobody an identity:
 * `peerIdentity` takes one from our issuing CAs alone.
 */
function tlsOptions(authority: Authority, identity: TlsIdentity, manufacturers: readonly string[]) {
  return serverTlsOptions({
    identity,
    trust: [...trustAnchors(authority), ...manufacturers],
    mode: 'compatible',
    clientCertificate: 'optional',
  })
}
