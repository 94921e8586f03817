import { findReservation } from './reserved.ts'
import { covers, type Rule, type RuleValues } from './rule.ts'
import { findTopicFault, type TopicFault, type TopicLimits } from './topic.ts'

/** Roles a policy can give rights to. `claim` is not among them: a claim certificate may only enroll. */
export const policyRoles = ['device', 'service', 'operator'] as const

/** What somebody wants to do with a topic. `receive` is asked for every message, right before it is delivered. */
export type Action = 'publish' | 'retain' | 'subscribe' | 'receive'

/** Whom a rule is applied to: the values of the rule variables, all proven by the certificate. */
export interface Subject extends RuleValues {
  readonly id: string
  readonly role: string
}

/** Why the policy said no. */
export type DenialReason = TopicFault | 'topic-reserved' | 'no-rule'

/** The answer of `authorize`. The objects are shared between calls: do not change them. */
export type Verdict =
  | {
      readonly allowed: true
      /** The rule that allows it, as it stands in the policy file. */
      readonly rule: string
      /** Its line there. */
      readonly line: number
    }
  | { readonly allowed: false; readonly reason: DenialReason }

/** A rule with its line in the policy file, and its answer. */
export interface CompiledRule extends Rule {
  readonly line: number
  readonly verdict: Verdict
}

/**
 * An exact client id or a prefix followed by `*`, with `${id}` for the device id, and its line in the policy file.
 * `any`: whatever the client likes; two identities never share a session for all that.
 */
export interface ClientIdPattern {
  readonly text: string
  readonly line: number
}

/** The rights of one role. */
export interface RolePolicy {
  /** Where it stands in the policy file. */
  readonly line: number
  readonly clientIds: readonly ClientIdPattern[]
  readonly publish: readonly CompiledRule[]
  readonly retain: readonly CompiledRule[]
  readonly subscribe: readonly CompiledRule[]
}

/** A compiled policy. Immutable: a new policy is a new object. */
export interface Policy {
  /** The file that it was read from, for messages. */
  readonly name: string
  readonly roles: ReadonlyMap<string, RolePolicy>
  /** Not of the file, but of whoever read it: what is longer or deeper is denied before any rule is looked at. */
  readonly topicLimits: TopicLimits
}

/** Gives a compiled rule its ready answer, so that the decision for a message allocates nothing. */
export function withVerdict(rule: Rule, line: number): CompiledRule {
  return { ...rule, line, verdict: Object.freeze({ allowed: true, rule: rule.text, line }) }
}

const denials = new Map<DenialReason, Verdict>()

function deny(reason: DenialReason): Verdict {
  let verdict = denials.get(reason)
  if (verdict === undefined) {
    verdict = Object.freeze({ allowed: false, reason })
    denials.set(reason, verdict)
  }
  return verdict
}

/**
 * May `subject` do `action` with `topic` (a topic filter when subscribing, a topic name otherwise)? The one
 * decision for publish, subscribe, restored sessions, delivery and wills. Pure, deny by default, 0.15 to 0.4 µs.
 *
 * Some topics are the broker's, whatever the rules say: see `findReservation`. `$share/…` and any other that begin with
 * `$` are nobody's to subscribe to because no rule may name them.
 */
export function authorize(policy: Policy, subject: Subject, action: Action, topic: string): Verdict {
  const role = policy.roles.get(subject.role)
  if (role === undefined) return deny('no-rule')
  const fault = findTopicFault(topic, action === 'subscribe' ? 'filter' : 'topic', policy.topicLimits)
  if (fault !== undefined) return deny(fault)
  const list = ruleList(action)
  if (findReservation(subject.role, action, topic) !== undefined) return deny('topic-reserved')
  const rules = role[list]
  for (let i = 0; i < rules.length; i++) {
    const rule = rules[i]!
    if (covers(rule, topic, subject)) return rule.verdict
  }
  return deny('no-rule')
}

/** The list of a role's rules that an action is judged by: what may be received is what may be subscribed to. */
export function ruleList(action: Action): 'publish' | 'retain' | 'subscribe' {
  return action === 'publish' || action === 'retain' ? action : 'subscribe'
}

/** May `subject` use `clientId`? A trailing `*` in a pattern stands for one or more of `A-Z a-z 0-9 . _ -`. */
export function allowsClientId(policy: Policy, subject: Subject, clientId: string): boolean {
  return findClientIdPattern(policy, subject, clientId) !== undefined
}

/** The pattern that lets `subject` use `clientId`, if one does. */
export function findClientIdPattern(
  policy: Policy,
  subject: Subject,
  clientId: string,
): ClientIdPattern | undefined {
  const patterns = policy.roles.get(subject.role)?.clientIds ?? []
  return patterns.find((pattern) => {
    // Nothing that has no place in a log or a session's name.
    if (pattern.text === 'any') return /^[^\p{C}]{1,256}$/u.test(clientId)
    const text = pattern.text.replace('${id}', () => subject.id)
    if (!text.endsWith('*')) return clientId === text
    const prefix = text.slice(0, -1)
    return clientId.startsWith(prefix) && /^[A-Za-z0-9._-]{1,64}$/.test(clientId.slice(prefix.length))
  })
}
