import {
  type Config,
  type DataDirectory,
  formatDuration,
  type Logger,
  ServiceError,
} from '@fleetroot/service'
import type { Authority } from '../authority/authority.ts'
import { type Authorities, dataLock } from '../authority/authorities.ts'
import type { settings } from '../config/settings.ts'
import { type CrlPublication, openCrlPublication } from '../crl/publication.ts'
import { type EventFeed, openEventFeed } from '../events/feed.ts'
import { wakingRegistry } from '../events/wake.ts'
import { type CaResponder, createOcspResponder, type OcspResponder } from '../ocsp/responder.ts'
import { ensureResponder } from '../ocsp/responder-identity.ts'
import type { Registry } from '../registry/registry.ts'

/** The part of the server that says what became of certificates. */
export interface StatusServices {
  /** The registry that wakes the feed. */
  readonly registry: Registry
  readonly feed: EventFeed
  readonly crls: CrlPublication
  readonly ocsp: OcspResponder
  /** Renews signers and lists that are due, and deletes events that are too old. */
  refresh(): Promise<void>
  /** Has lists and signers for the CAs as they are now. */
  follow(authority: Authority): Promise<void>
}

/** Events that are kept at the most, whatever their age. */
const keptEvents = 1_000_000
/** After which a certificate that has not connected supersedes the one before it. */
const connectWithinMs = 24 * 60 * 60 * 1000
/** Deleted in one transaction, which others wait for. */
const prunedAtOnce = 5000
const supersededAtOnce = 500

/**
 * Opens events, CRLs and OCSP on a registry.
 * @throws {ServiceError} `config` when a CRL would end before the next one comes
 */
export async function openStatus(options: {
  readonly data: DataDirectory
  readonly registry: Registry
  readonly authorities: Pick<Authorities, 'current'>
  readonly trustDomain: string
  readonly publicUrl: string
  readonly config: Config<typeof settings>
  readonly now: () => Date
  readonly logger: Logger
  readonly made: (file: string) => void
  readonly onStop: (what: string, close: () => Promise<void>) => void
}): Promise<StatusServices> {
  const { authorities, config, data, now, logger, onStop } = options
  if (config.crlLifetime <= config.crlInterval) {
    const [lifetime, interval] = [config.crlLifetime, config.crlInterval].map((ms) => formatDuration(ms))
    throw new ServiceError(
      'config',
      `crlLifetime: ${lifetime} must be longer than crlInterval, ${interval}, so that lists overlap`,
    )
  }
  const feed = await openEventFeed(options.registry, (error) =>
    logger.error({ err: error }, 'cannot read events'),
  )
  onStop('event feed', () => feed.close())
  const registry = wakingRegistry(options.registry, feed)
  const crls = await openCrlPublication({
    authority: authorities.current(),
    registry,
    feed,
    publicUrl: options.publicUrl,
    now,
    intervalMs: config.crlInterval,
    lifetimeMs: config.crlLifetime,
    deltaFrom: config.deltaCrlFrom,
    onError: (error) => logger.error({ err: error }, 'cannot make a CRL'),
  })
  onStop('CRLs', () => crls.close())

  const openResponders = (): Promise<CaResponder[]> =>
    data.locked(dataLock, async () => {
      const opened: CaResponder[] = []
      for (const issuer of authorities.current().issuers.values()) {
        opened.push({ issuer, responder: await ensureResponder(issuer, { ...options, registry }) })
      }
      return opened
    })
  let responders = await openResponders()
  const ocsp = createOcspResponder({
    registry,
    responders: () => responders,
    lifetimeMs: config.ocspLifetime,
    now,
  })

  async function pruneEvents(): Promise<void> {
    const beforeMs = now().getTime() - config.eventRetention
    let pruned: number
    do {
      pruned = await registry.pruneEvents({ beforeMs, keep: keptEvents, limit: prunedAtOnce })
    } while (pruned === prunedAtOnce)
  }
  async function supersedeOverdue(): Promise<void> {
    const nowMs = now().getTime()
    const due = { issuedBeforeMs: nowMs - connectWithinMs, nowMs, limit: supersededAtOnce }
    while ((await registry.supersedeOverdue(due)) === supersededAtOnce);
  }
  return {
    registry,
    feed,
    crls,
    ocsp,
    refresh: async () => {
      responders = await openResponders()
      await crls.renewDue()
      await pruneEvents()
      await supersedeOverdue()
    },
    follow: async (authority) => {
      await crls.follow(authority)
      responders = await openResponders()
    },
  }
}
