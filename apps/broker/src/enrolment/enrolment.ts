import { readFile } from 'node:fs/promises'
import {
  createEstClient,
  DeviceClientError,
  enrollDevice,
  openIdentityStore,
  retryVerdict,
  type StoredIdentity,
} from '@fleetroot/device-client'
import type { DataDirectory, Logger } from '@fleetroot/service'
import type { TlsMode } from '@fleetroot/tls-config'
import type { Issuers } from '../admission/peer.ts'
import { obtainIssuers } from './ca-bundle.ts'
import { type Deadline, startDeadline } from './deadline.ts'
import { explainToken } from './token-trouble.ts'

/** How the broker comes by its own certificate and learns which CAs to trust for what. */
export interface EnrolmentOptions {
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
export interface Enrolment {
  readonly identity: StoredIdentity
  readonly issuers: Issuers
  /** The pinned root, PEM. */
  readonly root: string
  /** Renews the certificate if two thirds of its life are over; undefined when there is nothing new. */
  readonly renew: () => Promise<StoredIdentity | undefined>
}

/**
 * Gets the broker a certificate from the enrollment server as any device gets it: with a one-time token the
 * first time, from the identity store after that, renewed over mutual TLS when two thirds of its life are
 * over. A broker that has been started once starts without the enrollment server as long as its certificate
 * is valid. Otherwise it waits, `waitMs` in all, and throws `BrokerError` `enrollment-unreachable`; a refusal
 * is thrown at once: `token-refused` if it is the token, otherwise the
 * `DeviceClientError`.
 */
export async function enrol(options: EnrolmentOptions): Promise<Enrolment> {
  const { url, mode, data, log } = options
  const deadline = startDeadline(options.waitMs, options.signal, options.onWait)
  const trustFile = options.trustFile ?? data.file('public/root.crt')
  const root = await deadline.until(`the root certificate ${trustFile}`, () => readIfThere(trustFile))
  const { issuers, isCopy, failure } = await obtainIssuers({ url, root, mode, data, deadline })
  if (isCopy) {
    // Usual when both are started at once, and no news then; an answer that is not usable is news.
    const isSilent = failure instanceof DeviceClientError && retryVerdict(failure).retry
    log[isSilent ? 'info' : 'warn'](
      { reason: failure instanceof Error ? failure.message : String(failure) },
      'using the copy of the CA bundle',
    )
  }

  const renew = async (within: Deadline): Promise<{ identity: StoredIdentity; isNew: boolean }> => {
    const est = createEstClient({ url, trust: [root], mode, timeoutMs: 10_000 })
    try {
      return await within.insist(`the enrollment server at ${url}`, () => enrolOnce(options, est))
    } finally {
      est.close()
    }
  }
  const { identity } = await renew(deadline)
  return {
    identity,
    issuers,
    root,
    renew: async () => {
      const next = await renew(startDeadline(options.waitMs, options.signal, () => undefined))
      return next.isNew ? next.identity : undefined
    },
  }
}

async function enrolOnce(
  { id, data, tokenFile = data.file('bootstrap/broker.token'), signal, log }: EnrolmentOptions,
  est: ReturnType<typeof createEstClient>,
): Promise<{ identity: StoredIdentity; isNew: boolean }> {
  const token = (await readIfThere(tokenFile))?.trim()
  const { identity, how, renewalFailure } = await enrollDevice({
    id,
    est,
    store: openIdentityStore(data.file('broker/identity')),
    ...(token === undefined ? {} : { credential: { token } }),
    signal,
  }).catch((error: unknown) => {
    throw explainToken(error, { id, tokenFile })
  })
  const { serial, notAfter } = identity.certificate
  if (renewalFailure !== undefined)
    log.warn({ err: renewalFailure, serial, notAfter }, 'cannot renew the certificate')
  log.info({ deviceId: id, serial, notAfter, how }, 'own certificate')
  return { identity, isNew: how !== 'reused' }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
