import type { Issuer } from '@fleetroot/pki'
import { type Config, type Logger, ServiceError } from '@fleetroot/service'
import type { IssuerName } from '../authority/authority.ts'
import type { settings } from '../config/settings.ts'
import { type CrlPublication, openCrlPublication } from '../crl/publication.ts'
import { type EventFeed, openEventFeed } from '../events/feed.ts'
import { wakingRegistry } from '../events/wake.ts'
import type { Registry } from '../registry/registry.ts'

/** The part of the server that says what became of certificates. */
export interface StatusServices {
  /** The registry that wakes the feed. */
  readonly registry: Registry
  readonly feed: EventFeed
  readonly crls: CrlPublication
  /** Makes lists that are due, and deletes events that are too old. */
  refresh(): Promise<void>
}

/** Events that are kept at the most, whatever their age. */
const keptEvents = 1_000_000
/** Deleted in one transaction, which others wait for. */
const prunedAtOnce = 5000

/**
 * Opens events and CRLs on a registry.
 * @throws {ServiceError} `config` when a CRL would end before the next one comes
 */
export async function openStatus(options: {
  readonly registry: Registry
  readonly issuers: Readonly<Record<IssuerName, Issuer>>
  readonly publicUrl: string
  readonly config: Config<typeof settings>
  readonly now: () => Date
  readonly logger: Logger
  readonly onStop: (what: string, close: () => Promise<void>) => void
}): Promise<StatusServices> {
  const { config, issuers, publicUrl, now, logger, onStop } = options
  if (config.crlLifetime <= config.crlInterval) {
    throw new ServiceError('config', 'crlLifetime: must be longer than crlInterval, so that lists overlap')
  }
  const feed = await openEventFeed(options.registry, (error) =>
    logger.error({ err: error }, 'cannot read events'),
  )
  onStop('event feed', () => feed.close())
  const registry = wakingRegistry(options.registry, feed)
  const crls = await openCrlPublication({
    issuers,
    registry,
    feed,
    publicUrl,
    now,
    intervalMs: config.crlInterval,
    lifetimeMs: config.crlLifetime,
    deltaFrom: config.deltaCrlFrom,
    onError: (error) => logger.error({ err: error }, 'cannot make a CRL'),
  })
  onStop('CRLs', () => crls.close())

  async function pruneEvents(): Promise<void> {
    const beforeMs = now().getTime() - config.eventRetention
    let pruned: number
    do {
      pruned = await registry.pruneEvents({ beforeMs, keep: keptEvents, limit: prunedAtOnce })
    } while (pruned === prunedAtOnce)
  }
  return {
    registry,
    feed,
    crls,
    refresh: async () => {
      await crls.renewDue()
      await pruneEvents()
    },
  }
}
