import type { Registry } from '../registry/registry.ts'
import type { EventFeed } from './feed.ts'

/** The registry, with the feed told of every event that this process commits: subscribers need not wait for its poll. */
export function wakingRegistry(registry: Registry, feed: EventFeed): Registry {
  const { changeDevice, revokeCertificate, revokeAll, recordCertificate, recordAuthorityChanges } = registry
  const waking =
    <Input, Result>(operation: (input: Input) => Promise<Result>) =>
    async (input: Input): Promise<Result> => {
      const result = await operation(input)
      feed.wake()
      return result
    }
  return {
    ...registry,
    changeDevice: waking(changeDevice),
    revokeCertificate: waking(revokeCertificate),
    revokeAll: waking(revokeAll),
    recordCertificate: waking(recordCertificate),
    recordAuthorityChanges: waking(recordAuthorityChanges),
  }
}
