import type { Issuer } from '@fleetroot/pki'
import type { IssuerName } from '../authority/authority.ts'
import { deltaCrlPath } from '../authority/urls.ts'
import type { EventFeed } from '../events/feed.ts'
import type { Registry } from '../registry/registry.ts'
import { type CrlPublisher, openCrlPublisher, type PublishedCrl } from './publisher.ts'

/** The CRLs of the server. */
export interface CrlPublication {
  complete(issuer: IssuerName): PublishedCrl
  delta(issuer: IssuerName): PublishedCrl | undefined
  /** Makes the lists anew that are as old as the schedule's interval. */
  renewDue(): Promise<void>
  close(): Promise<void>
}

/** What the CRLs are made of. */
export interface PublicationOptions {
  readonly issuers: Readonly<Record<IssuerName, Issuer>>
  readonly registry: Registry
  readonly feed: EventFeed
  /** Base of the URLs in certificates and lists, without a trailing slash. */
  readonly publicUrl: string
  readonly now: () => Date
  readonly intervalMs: number
  readonly lifetimeMs: number
  readonly deltaFrom: number
  readonly onError: (error: unknown) => void
}

/** Opens a list for each issuing CA, made anew whenever the feed says that it changed. */
export async function openCrlPublication(options: PublicationOptions): Promise<CrlPublication> {
  const { issuers, registry, feed, publicUrl, now, intervalMs, lifetimeMs, deltaFrom, onError } = options
  const open = (issuer: IssuerName): Promise<CrlPublisher> =>
    openCrlPublisher({
      issuer,
      authority: issuers[issuer],
      registry,
      now,
      lifetimeMs,
      deltaFrom,
      deltaUrl: publicUrl + deltaCrlPath(issuer),
      onError,
    })
  const publishers = { devices: await open('devices'), services: await open('services') }
  const all = Object.values(publishers)

  const isBehind = (publisher: CrlPublisher): boolean =>
    feed.heads().revocations[publisher.issuer] > publisher.complete().eventId
  const refresh = (): void => {
    for (const publisher of all) if (isBehind(publisher)) publisher.changed()
  }
  const stop = feed.onChange(refresh)
  refresh()

  /** A list that nothing has changed since it was made includes every event until now. */
  function upToDate(published: PublishedCrl, publisher: CrlPublisher): PublishedCrl {
    if (isBehind(publisher)) return published
    return { ...published, eventId: Math.max(published.eventId, feed.heads().last) }
  }

  return {
    complete: (issuer) => upToDate(publishers[issuer].complete(), publishers[issuer]),
    delta: (issuer) => {
      const delta = publishers[issuer].delta()
      return delta && upToDate(delta, publishers[issuer])
    },
    renewDue: async () => {
      const due = all.filter((one) => now().getTime() - one.complete().crl.thisUpdate.getTime() >= intervalMs)
      await Promise.all(due.map((publisher) => publisher.renew()))
    },
    close: async () => {
      stop()
      await Promise.all(all.map((publisher) => publisher.close()))
    },
  }
}
