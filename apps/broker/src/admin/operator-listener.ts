import { type AdminListener, type AdminRoute, createAdminListener, type Logger } from '@fleetroot/service'
import { type KeyAndCertificate, serverTlsOptions, type TlsMode } from '@fleetroot/tls-config'
import { type Authorities, listenerTrust, peerIssuers } from '../authorities/authorities.ts'
import { AcceptGuard } from '../guard/accept-guard.ts'
import { defaultGuardLimits } from '../guard/limits.ts'
import { guardDoor, visitOf } from '../listener/front-door.ts'
import { BrokerCounts, count } from '../metrics/counts.ts'
import type { RevocationView } from '../revocation/revocation.ts'
import { admitOperator } from './operator.ts'

/** What the listener for operators goes by. */
export interface OperatorListenerOptions {
  readonly host: string
  /** 0 takes a free one. */
  readonly port: number
  readonly mode: TlsMode
  readonly routes: readonly AdminRoute[]
  /** The broker's own, as it is now. */
  readonly identity: () => KeyAndCertificate
  readonly authorities: () => Authorities
  readonly revocation: Pick<RevocationView, 'standingOf'>
  readonly counts: BrokerCounts
  readonly log: Logger
  /** Milliseconds since 1970; default the system's clock. */
  readonly now?: () => number
}

/** A listener for operators that is listening. */
export interface OperatorListener {
  readonly port: number
  /** Uses the identity and trusts the CAs of this moment for new connections. */
  readonly renewContext: () => void
  readonly close: AdminListener['close']
}

/** A few people and their programs. The budget of the fleet's connections is another one, which no flood here touches. */
const limits = {
  ...defaultGuardLimits,
  acceptRate: { perSecond: 50, burst: 200 },
  acceptRatePerAddress: { perSecond: 10, burst: 50 },
  maxHandshakes: 100,
  maxHandshakesPerAddress: 10,
}

/**
 * Opens the administrative routes to operators: HTTPS with mutual TLS. Who has no certificate of ours does not finish the
 * handshake; who has one and is no operator gets 403 with the reason, at each request. Rejects with Node's error when it cannot
 * listen.
 */
export async function openOperatorListener(options: OperatorListenerOptions): Promise<OperatorListener> {
  const { host, port, mode, routes, identity, authorities, revocation, counts, log } = options
  const { now = Date.now } = options
  const tls = () =>
    serverTlsOptions({
      identity: identity(),
      trust: listenerTrust(authorities()),
      mode,
      clientCertificate: 'required',
    })
  const listener = createAdminListener({
    host,
    port,
    tls: tls(),
    routes,
    admit: (socket) => {
      const { trustDomain } = authorities()
      const verdict = admitOperator(socket, {
        issuers: peerIssuers(authorities()),
        trustDomain,
        now: now(),
        standingOf: revocation.standingOf,
      })
      if ('code' in verdict) {
        count(counts.refused, verdict.code)
        const address = visitOf(socket)?.address
        log.warn({ address, reason: verdict.code, detail: verdict.detail }, 'administrative request refused')
      }
      return verdict
    },
  })
  // Handshakes and addresses here are no part of what the metrics say about the fleet; refusals are.
  const ownCounts = Object.assign(new BrokerCounts(), { refused: counts.refused })
  const { handshakeTimeoutMs } = limits
  guardDoor(listener.server, { acceptGuard: new AcceptGuard(limits, ownCounts, log), handshakeTimeoutMs })
  listener.server.on('secureConnection', (socket) => visitOf(socket)?.done())
  return {
    port: await listener.listen(),
    renewContext: () => listener.setSecureContext(tls()),
    close: listener.close,
  }
}
