import type { Identity } from '../admission/identity.ts'
import {
  newSession,
  readIdentity,
  type StoredSession,
  type SubscriptionOptions,
} from '../store/stored-session.ts'

// What all nodes know of a session: whose it is, and what it wants, one topic filter at a time, because a device that changes one
// may have a hundred. As JSON, because an operator may want to look at it.

/** Whose a session is. */
export function encodeOwner({ owner }: StoredSession): string {
  return JSON.stringify({ owner })
}

/** Reads what `encodeOwner` wrote, as a session without filters; throws when it is not that. */
export function decodeOwner(key: string, record: Buffer): StoredSession {
  const { owner } = JSON.parse(record.toString()) as { owner?: Identity }
  const session = newSession(undefined, key)
  session.owner = owner === undefined ? undefined : readIdentity(owner)
  return session
}

/** The options of a topic filter of a session; empty: it has no such filter. */
export function encodeFilter({ subscriptions }: StoredSession, topic: string): string {
  const subscription = subscriptions.get(topic)
  return subscription === undefined ? '' : JSON.stringify(subscription.options)
}

/** Reads what `encodeFilter` wrote; undefined: no such filter. Throws when it is not that. */
export function decodeFilter(record: string): SubscriptionOptions | undefined {
  return record === '' ? undefined : (JSON.parse(record) as SubscriptionOptions)
}
