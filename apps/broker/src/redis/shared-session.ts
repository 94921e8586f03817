import type { Identity } from '../admission/identity.ts'
import {
  newSession,
  readIdentity,
  type StoredSession,
  type SubscriptionOptions,
} from '../store/stored-session.ts'

/** What all nodes know of a session: whose it is and what it wants. As JSON, because an operator may want to look at it. */
export function encodeShared({ owner, subscriptions }: StoredSession): string {
  const filters = [...subscriptions.values()].map(({ topic, options }) => ({ topic, ...options }))
  return JSON.stringify({ owner, filters })
}

/** Reads what `encodeShared` wrote; throws when it is not that. */
export function decodeShared(key: string, record: Buffer): StoredSession {
  const { owner, filters } = JSON.parse(record.toString()) as {
    owner?: Identity
    filters: ({ topic: string } & SubscriptionOptions)[]
  }
  const session = newSession(undefined, key)
  session.owner = owner === undefined ? undefined : readIdentity(owner)
  for (const { topic, ...options } of filters) session.subscriptions.set(topic, { session, topic, options })
  return session
}
