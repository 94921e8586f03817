import {
  type Action,
  authorize,
  type DenialReason,
  findClientIdPattern,
  type Policy,
  ruleList,
  type Subject,
} from './policy.ts'
import { findReservation } from './reserved.ts'
import { covers, topicFaults } from './rule.ts'

/** One line of a policy, and whether it allows what was asked. */
export interface ExplainedRule {
  readonly text: string
  readonly line: number
  readonly allows: boolean
}

/** A decision with its reasons. */
export interface Explanation {
  readonly allowed: boolean
  /** The rule that allows it; of a denial there is none, because what nothing allows is denied. */
  readonly rule?: { readonly text: string; readonly line: number }
  readonly reason?: DenialReason | 'client-id-not-allowed'
  /** For a human: why. */
  readonly sentence: string
  /** The rules that were asked, in the order of the file. */
  readonly asked: readonly ExplainedRule[]
}

/** Says what {@link authorize} decides, and why. The decision is the one of `authorize`, never another. */
export function explain(policy: Policy, subject: Subject, action: Action, topic: string): Explanation {
  const verdict = authorize(policy, subject, action, topic)
  const list = ruleList(action)
  const asked = (policy.roles.get(subject.role)?.[list] ?? []).map((rule) => ({
    text: rule.text,
    line: rule.line,
    allows: isAsked(verdict) && covers(rule, topic, subject),
  }))
  if (verdict.allowed) {
    const { rule: text, line } = verdict
    const sentence = `${policy.name}:${line} allows it: ${text}, under roles.${subject.role}.${list}`
    return { allowed: true, rule: { text, line }, sentence, asked }
  }
  const { reason } = verdict
  return { allowed: false, reason, sentence: denial(policy, subject, { action, topic }, reason), asked }
}

/** Says what `allowsClientId` decides, and why. */
export function explainClientId(policy: Policy, subject: Subject, clientId: string): Explanation {
  const pattern = findClientIdPattern(policy, subject, clientId)
  const asked = (policy.roles.get(subject.role)?.clientIds ?? []).map(({ text, line }) => ({
    text,
    line,
    allows: line === pattern?.line && text === pattern.text,
  }))
  if (pattern !== undefined) {
    const { text, line } = pattern
    const sentence = `${policy.name}:${line} allows it: ${text}, under roles.${subject.role}.clientIds`
    return { allowed: true, rule: { text, line }, sentence, asked }
  }
  const sentence = noRule(policy, subject, 'clientIds')
  return { allowed: false, reason: 'client-id-not-allowed', sentence, asked }
}

/** A topic that is refused by itself never reaches the rules. */
function isAsked(verdict: { allowed: boolean; reason?: string }): boolean {
  return verdict.allowed || verdict.reason === 'no-rule'
}

function denial(
  policy: Policy,
  subject: Subject,
  { action, topic }: { action: Action; topic: string },
  reason: DenialReason,
): string {
  if (reason === 'no-rule') return noRule(policy, subject, ruleList(action))
  if (reason === 'topic-reserved') return findReservation(subject.role, action, topic) ?? reason
  return `the topic is refused before any rule is asked: ${topicFaults[reason]}`
}

function noRule(policy: Policy, { role }: Subject, list: string): string {
  const rights = policy.roles.get(role)
  if (rights === undefined) return `${policy.name} gives no rights to the role ${role}`
  return `${policy.name}:${rights.line}: nothing under roles.${role}.${list} allows it, and what nothing allows is denied`
}
