import { type Authority, type IssuingAuthority, signingIssuer } from '../authority/authority.ts'
import { deltaCrlPath } from '../authority/urls.ts'
import type { EventFeed } from '../events/feed.ts'
import type { Registry } from '../registry/registry.ts'
import { type CrlPublisher, openCrlPublisher, type PublishedCrl } from './publisher.ts'

/** The CRLs of the server: one of every CA that is trusted, whether it issues or not. */
export interface CrlPublication {
  /** Undefined for what is no CA that is trusted. */
  complete(issuer: string): PublishedCrl | undefined
  delta(issuer: string): PublishedCrl | undefined
  /** Makes the lists anew that are as old as the schedule's interval. */
  renewDue(): Promise<void>
  /** Opens lists for CAs that are new and closes those of CAs that are retired. */
  follow(authority: Authority): Promise<void>
  close(): Promise<void>
}

/** What the CRLs are made of. */
export interface PublicationOptions {
  readonly authority: Authority
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
  const { authority, registry, feed, publicUrl, now, intervalMs, lifetimeMs, deltaFrom, onError } = options
  const publishers = new Map<string, CrlPublisher>()
  const open = (issuer: IssuingAuthority): Promise<CrlPublisher> =>
    openCrlPublisher({
      issuer: issuer.id,
      authority: signingIssuer(issuer),
      registry,
      now,
      lifetimeMs,
      deltaFrom,
      deltaUrl: publicUrl + deltaCrlPath(issuer.id),
      onError,
    })

  async function follow({ issuers }: Authority): Promise<void> {
    for (const [id, issuer] of issuers) if (!publishers.has(id)) publishers.set(id, await open(issuer))
    for (const [id, publisher] of publishers) {
      if (issuers.has(id)) continue
      publishers.delete(id)
      await publisher.close()
    }
    refresh()
  }

  const isBehind = (publisher: CrlPublisher): boolean =>
    (feed.heads().revocations[publisher.issuer] ?? 0) > publisher.complete().eventId
  const refresh = (): void => {
    for (const publisher of publishers.values()) if (isBehind(publisher)) publisher.changed()
  }

  /** A list that nothing has changed since it was made includes every event until now. */
  function upToDate(published: PublishedCrl, publisher: CrlPublisher): PublishedCrl {
    if (isBehind(publisher)) return published
    return { ...published, eventId: Math.max(published.eventId, feed.heads().last) }
  }

  await follow(authority)
  const stop = feed.onChange(refresh)
  return {
    complete: (issuer) => {
      const publisher = publishers.get(issuer)
      return publisher && upToDate(publisher.complete(), publisher)
    },
    delta: (issuer) => {
      const publisher = publishers.get(issuer)
      const delta = publisher?.delta()
      return publisher && delta && upToDate(delta, publisher)
    },
    renewDue: async () => {
      // One from the future was made before the clock was set back: nobody whose clock is right takes it.
      const due = [...publishers.values()].filter((one) => {
        const ageMs = now().getTime() - one.complete().crl.thisUpdate.getTime()
        return ageMs < 0 || ageMs >= intervalMs
      })
      await Promise.all(due.map((publisher) => publisher.renew()))
    },
    follow,
    close: async () => {
      stop()
      await Promise.all([...publishers.values()].map((publisher) => publisher.close()))
    },
  }
}
