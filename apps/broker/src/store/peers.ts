import type { Identity } from '../admission/identity.ts'
import type { SharedBudget } from '../guard/shared-budget.ts'

/** A message that another broker has accepted. */
export interface PeerMessage {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  readonly retain: boolean
}

/** What an engine hears from the brokers that share its store. */
export interface PeerObserver {
  /** To be delivered to whoever is connected here; sessions that are stored find it in their queues. */
  readonly onMessage: (message: PeerMessage) => void
  /** The client of this session connects elsewhere: it is to end here. Returns whether it is here. */
  readonly onAsked: (sessionKey: string) => boolean
  /** Nobody is connected as this device any more, whose broker is gone; `settles` names the debt. */
  readonly onAbsent: (deviceId: string, settles: string) => void
  /** The others no longer count on this broker: resolves when all its sessions have ended. */
  readonly onLost: () => Promise<void>
}

/** The brokers that share a store, as an engine sees them. */
export interface Peers {
  /** What identities use up on all of them. */
  readonly budget: SharedBudget
  /** From now on. */
  readonly follow: (observer: PeerObserver) => void
  /**
   * Takes hold of the session of a client that connects, wherever it is held, and brings what is stored of it. Resolves to false
   * when `isWanted` no longer says so. Rejects with BrokerError `store-failed`.
   */
  readonly claim: (
    sessionKey: string,
    identity: Identity,
    isStored: boolean,
    isWanted: () => boolean,
  ) => Promise<boolean>
  /** The client of a session is gone, or does not come after all. */
  readonly release: (sessionKey: string) => void
  /** Resolves when everything is known here that any broker had acknowledged when this was called. */
  readonly current: () => Promise<void>
  /** Tells the others of a message that nobody keeps. */
  readonly forward: (message: Pick<PeerMessage, 'topic' | 'payload'>) => void
}
