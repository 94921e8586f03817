import { readFile } from 'node:fs/promises'
import {
  createEstClient,
  createRenewals,
  enrollDevice,
  type EstClient,
  type IdentityStore,
  openIdentityStore,
  openTrustAnchors,
  type Renewal,
  type StoredIdentity,
} from '@fleetroot/device-client'
import type { DataDirectory, Logger } from '@fleetroot/service'
import type { TlsMode } from '@fleetroot/tls-config'
import { followAuthorities, type FollowedAuthorities } from '../authorities/followed.ts'
import { startDeadline } from './deadline.ts'
import { shakeHands } from './own-handshake.ts'
import { explainToken } from './token-trouble.ts'

/** How the broker comes by its own certificate and learns which CAs to trust for what. */
export interface EnrollmentOptions {
  readonly id: string
  readonly url: string
  readonly mode: TlsMode
  readonly data: DataDirectory
  /** Default `public/root.crt` of the data directory. */
  readonly trustFile?: string | undefined
  /** Default `bootstrap/broker.token` of the data directory. */
  readonly tokenFile?: string | undefined
  readonly waitMs: number
  readonly signal: AbortSignal
  readonly log: Logger
  /** Hears, once for each thing, what the start is waiting for. */
  readonly onWait: (what: string) => void
}

/** All that the listeners need. */
export interface Enrollment {
  readonly identity: StoredIdentity
  readonly authorities: FollowedAuthorities
  /**
   * Renews the certificate whenever two thirds of its life are over, until stopped, and hands over each new one
   * once it is proven: `onRenewed` puts it to use. `identity` of what this gives is the one in use.
   */
  readonly keepValid: (onRenewed: (identity: StoredIdentity) => void) => Renewal
}

/**
 * Gets the broker a certificate from the enrollment server as any device gets it: with a one-time token the
 * first time, from the identity store after that, renewed over mutual TLS when two thirds of its life are
 * over. A renewed certificate is proven by a handshake with itself before it is used. A broker that has been started once starts without the enrollment server as long as its certificate
 * is valid. Otherwise it waits, `waitMs` in all, and throws `BrokerError` `enrollment-unreachable`; a refusal
 * is thrown at once: `token-refused` if it is the token, otherwise the
 * `DeviceClientError`.
 */
export async function enroll(options: EnrollmentOptions): Promise<Enrollment> {
  const { url, mode, data, log } = options
  const deadline = startDeadline(options.waitMs, options.signal, options.onWait)
  const trustFile = options.trustFile ?? data.file('public/root.crt')
  const pin = await deadline.until(`the root certificate ${trustFile}`, () => readIfThere(trustFile))
  // Learned roots are kept apart from the pin: a trust file that is changed starts them over.
  const anchors = await openTrustAnchors({ file: data.file('broker/anchors.pem'), pin: [pin] })
  const authorities = await followAuthorities({ url, anchors, mode, data, log, deadline })

  const store = openIdentityStore(data.file('broker/identity'))
  const est = createEstClient({ url, trust: anchors, mode, timeoutMs: 10_000 })
  const probe = (staged: StoredIdentity): Promise<void> => shakeHands(staged, { trust: anchors.pem, mode })
  const identity = await deadline.insist(`the enrollment server at ${url}`, () =>
    enrolOnce(options, { est, store, probe }),
  )
  return {
    identity,
    authorities,
    keepValid: (onRenewed) => {
      const renewal = createRenewals().keep({
        est,
        store,
        identity,
        probe,
        onRenewed: (next) => {
          onRenewed(next)
          logCertificate(log, next, 'renewed')
        },
        // Devices may have learned of it by another way than the event stream; so has the broker.
        onTrustChanged: () => void authorities.refresh().catch(() => undefined),
        onFailure: (error, retryInMs) => {
          const { serial, notAfter } = renewal.identity.certificate
          log.warn({ err: error, retryInMs, serial, notAfter }, 'cannot renew the certificate')
        },
        onExhausted: (error) => log.error({ err: error }, 'the certificate is not renewed any more'),
      })
      return renewal
    },
  }
}

async function enrolOnce(
  { id, data, tokenFile = data.file('bootstrap/broker.token'), signal, log }: EnrollmentOptions,
  means: {
    est: EstClient
    store: IdentityStore
    probe: (staged: StoredIdentity) => Promise<void>
  },
): Promise<StoredIdentity> {
  const token = (await readIfThere(tokenFile))?.trim()
  const { identity, how, renewalFailure } = await enrollDevice({
    ...means,
    id,
    ...(token === undefined ? {} : { credential: { token } }),
    signal,
  }).catch((error: unknown) => {
    throw explainToken(error, { id, tokenFile })
  })
  if (renewalFailure !== undefined) {
    const { serial, notAfter } = identity.certificate
    log.warn({ err: renewalFailure, serial, notAfter }, 'cannot renew the certificate')
  }
  logCertificate(log, identity, how)
  return identity
}

function logCertificate(log: Logger, { id, certificate }: StoredIdentity, how: string): void {
  const { serial, notAfter } = certificate
  log.info({ deviceId: id, serial, notAfter, how }, 'own certificate')
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
