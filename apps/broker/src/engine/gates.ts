import type { Logger } from '@fleetroot/service'
import type { Identity } from '../admission/identity.ts'
import { refuseStanding } from '../admission/standing.ts'
import { type BrokerCounts, count } from '../metrics/counts.ts'
import { type Action, authorize, type DenialReason, type Policy, type Verdict } from '@fleetroot/policy'
import type { RevocationView } from '../revocation/revocation.ts'
import type { Session } from './session.ts'

/** Where denied messages go. No rule can name it: of the topics that begin with `$` only `$SYS` can be allowed. */
const sinkTopic = '$denied'

const empty = Buffer.alloc(0)

/** A message as it passes the gates. The fields that a gate may change are not readonly. */
interface Message {
  topic: string
  payload: string | Buffer
  retain: boolean
  readonly qos?: 0 | 1 | 2 | undefined
}

/** Makes a message go nowhere and stay nowhere, while aedes goes on as usual and acknowledges it. */
export function silence(message: Message): void {
  message.topic = sinkTopic
  message.retain = false
  message.payload = empty
}

/** What the gates decide by. */
export interface GateOptions {
  readonly policy: (identity: Identity) => Policy
  readonly revocation: Pick<RevocationView, 'isClosed' | 'standingOf'>
  readonly counts: BrokerCounts
  readonly log: Logger
  readonly now: () => number
  /** Is there room for this retained message? */
  readonly mayRetain: (identity: Identity, message: Readonly<Message>) => boolean
  readonly maxDenials: number
  readonly maxFilters: number
  readonly maxOutboundBytes: number
}

/** The policy applied to the messages and subscriptions of sessions. */
export interface Gates {
  /**
   * Lets a PUBLISH through, or makes it harmless: MQTT 3.1.1 cannot say no to one [MQTT-3.3.5-2], so that a
   * denied message is acknowledged and sent to a topic that nobody can read.
   */
  readonly admitPublish: (session: Session, message: Message) => void
  /** The store has had no room for a retained message that seemed to have some. */
  readonly denyRetained: (session: Session, topic: string) => void
  /** Was the session denied so often that it is about to end? What is read of it until then is not looked at. */
  readonly isSpent: (session: Session) => boolean
  /** May the will of this identity be published now? Nothing is counted against its session, which has ended. */
  readonly mayPublishWill: (identity: Identity, message: Readonly<Message>) => boolean
  /** May the session have this filter? A denial is logged and counted. */
  readonly grant: (session: Session, filter: string) => boolean
  /** The same question without consequences. */
  readonly maySubscribe: (session: Session, filter: string) => boolean
  /** May this message go to this session now? */
  readonly mayReceive: (session: Session, message: Readonly<Message>) => boolean
}

/**
 * Binds the policy in force to sessions. Each gate also looks at the clock and at what is known of revocations: a
 * certificate that has ended passes nothing. A revocation bars the sessions of its certificate in the turn in
 * which it becomes known, so that a look at the session is enough, at a thousandth of what asking by name costs.
 */
export function createGates(options: GateOptions): Gates {
  const { policy, revocation, counts, log, now, mayRetain, maxDenials, maxFilters, maxOutboundBytes } =
    options

  /** Why this session passes nothing any more; it is ended then. */
  function findBar(session: Session): Bar | undefined {
    if (session.isBarred) return barred
    if (revocation.isClosed()) {
      session.bar('revocation-stale')
      return barred
    }
    if (now() < session.identity.notAfterMs) return undefined
    session.end('certificate-expired')
    return expired
  }

  function judge(identity: Identity, action: Action, topic: string): Verdict {
    return authorize(policy(identity), identity, action, topic)
  }

  function judgePublish(identity: Identity, message: Readonly<Message>): Verdict | typeof tooManyRetained {
    const verdict = judge(identity, 'publish', message.topic)
    if (!verdict.allowed || !message.retain) return verdict
    const retain = judge(identity, 'retain', message.topic)
    return !retain.allowed || mayRetain(identity, message) ? retain : tooManyRetained
  }

  const isSpent = (session: Session): boolean => session.denials >= maxDenials

  function deny(session: Session, action: 'publish' | 'subscribe', topic: string, reason: string): void {
    if (isSpent(session)) return
    count(counts.denied, `${action} ${reason}`)
    session.denials += 1
    const { id, role, serial } = session.identity
    log.warn(
      { deviceId: id, role, serial, topic: topic.slice(0, 200), reason, denials: session.denials },
      `${action} denied`,
    )
    // After the acknowledgement of this one, which aedes writes when the gate has answered.
    if (isSpent(session)) setImmediate(() => session.end('too-many-denials'))
  }

  function admitPublish(session: Session, message: Message): void {
    const verdict = findBar(session) ?? judgePublish(session.identity, message)
    if (verdict.allowed) {
      counts.published += 1
      counts.publishedBytes += message.payload.length
      return
    }
    deny(session, 'publish', message.topic, verdict.reason)
    silence(message)
  }

  function maySubscribe(session: Session, filter: string): boolean {
    return findBar(session) === undefined && judge(session.identity, 'subscribe', filter).allowed
  }

  function grant(session: Session, filter: string): boolean {
    if (isSpent(session) || findBar(session) !== undefined) return false
    const verdict = judge(session.identity, 'subscribe', filter)
    const filters = (session.filters ??= new Set())
    if (verdict.allowed && (filters.has(filter) || filters.size < maxFilters)) {
      filters.add(filter)
      return true
    }
    deny(session, 'subscribe', filter, verdict.allowed ? 'too-many-filters' : verdict.reason)
    return false
  }

  function mayReceive(session: Session, message: Readonly<Message>): boolean {
    if (findBar(session) !== undefined) return false
    const verdict = judge(session.identity, 'receive', message.topic)
    if (verdict.allowed && session.stream.writableLength > maxOutboundBytes) {
      session.end('slow-reader')
      return false
    }
    if (verdict.allowed) {
      counts.delivered += 1
      counts.deliveredBytes += message.payload.length
      return true
    }
    count(counts.denied, `receive ${verdict.reason}`)
    return false
  }

  return {
    admitPublish,
    denyRetained: (session, topic) => deny(session, 'publish', topic, tooManyRetained.reason),
    isSpent,
    // By name: the connection may have ended before the revocation was known, and the will is published after.
    mayPublishWill: (identity, message) =>
      now() < identity.notAfterMs &&
      refuseStanding(revocation.standingOf(identity)) === undefined &&
      judgePublish(identity, message).allowed,
    grant,
    maySubscribe,
    mayReceive,
  }
}

interface Bar {
  readonly allowed: false
  readonly reason: DenialReason | 'certificate-expired' | 'certificate-barred'
}

const tooManyRetained = { allowed: false, reason: 'too-many-retained' } as const
const expired: Bar = { allowed: false, reason: 'certificate-expired' }
const barred: Bar = { allowed: false, reason: 'certificate-barred' }
