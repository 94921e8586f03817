import { findTopicFault, type TopicFault, type TopicLimits } from './topic.ts'

/** The variables a rule may use, each a whole level. All come from the certificate. */
export const ruleVariables = ['id', 'role', 'o', 'ou', 'serial'] as const
export type RuleVariable = (typeof ruleVariables)[number]

/** What the variables stand for; `undefined` where the certificate says nothing usable: such a rule never matches. */
export type RuleValues = { readonly [Name in RuleVariable]: string | undefined }

type Level =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: RuleVariable }
  | { readonly kind: 'one' }
  | { readonly kind: 'rest' }

/** One allowed topic filter of a policy, compiled once. Variables are looked up while matching, so nothing is kept per client. */
export interface Rule {
  /** As written in the policy file. */
  readonly text: string
  readonly levels: readonly Level[]
}

const dollar = 0x24
const hash = 0x23

/** Compiles an allowed filter. Returns the reason as text, for the policy's author, when it cannot be one. */
export function compileRule(text: string, limits?: TopicLimits): Rule | { readonly fault: string } {
  const levels: Level[] = []
  for (const level of text.split('/')) {
    const compiled = compileLevel(level)
    if ('fault' in compiled) return compiled
    levels.push(compiled)
  }
  // Variables stand for one ordinary level; with a letter in their place the rest is judged as a filter.
  const fault = findTopicFault(text.replaceAll(/\$\{[^}/]*\}/g, 'v'), 'filter', limits)
  if (fault !== undefined) return { fault: topicFaults[fault] }
  return { text, levels }
}

function compileLevel(level: string): Level | { readonly fault: string } {
  if (level === '+') return { kind: 'one' }
  if (level === '#') return { kind: 'rest' }
  if (!level.includes('${')) return { kind: 'text', text: level }
  const name = ruleVariables.find((variable) => level === `\${${variable}}`)
  if (name !== undefined) return { kind: 'variable', name }
  const known = ruleVariables.map((variable) => `\${${variable}}`).join(', ')
  return { fault: `the level "${level}" is not one of ${known}; a variable must be a whole level` }
}

/** What each fault says of a topic or filter, for whoever wrote it. */
export const topicFaults = {
  'topic-empty': 'it is empty',
  'topic-too-long': 'it is too long',
  'topic-too-deep': 'it has too many levels',
  'topic-character': 'it contains a control character',
  'topic-empty-level': 'it has an empty level; remove the extra "/"',
  'topic-dot-level': 'it has a level "." or ".."',
  'topic-wildcard': 'it contains a wildcard',
  'filter-wildcard': '"+" must be a whole level, and "#" must be the whole last level',
} as const satisfies Record<TopicFault, string>

/**
 * Does every topic that `filter` matches also match `rule`? `filter` is a topic filter or a topic name,
 * which is a filter without wildcards, so this one function decides subscriptions and messages alike.
 * Exact for one rule; it must have passed `findTopicFault` before.
 *
 * A wildcard in first place never matches a topic that begins with `$` [MQTT-4.7.2-1], and neither does a
 * variable: only a rule that spells `$SYS` gives `$SYS`.
 */
export function covers(rule: Rule, filter: string, values: RuleValues): boolean {
  const levels = rule.levels
  const length = filter.length
  const reserved = filter.charCodeAt(0) === dollar
  let start = 0
  for (let i = 0; i < levels.length; i++) {
    const level = levels[i]!
    // `a/#` matches `a` as well [MQTT-4.7.1-2], so that `#` is looked at before the filter may run out.
    if (level.kind === 'rest') return i > 0 || !reserved
    if (start > length) return false
    let end = filter.indexOf('/', start)
    if (end === -1) end = length
    if (level.kind === 'one') {
      if (i === 0 && reserved) return false
      if (end - start === 1 && filter.charCodeAt(start) === hash) return isWholeTree(levels, i)
    } else {
      if (level.kind === 'variable' && i === 0 && reserved) return false
      const text = level.kind === 'text' ? level.text : values[level.name]
      if (text === undefined || end - start !== text.length || !filter.startsWith(text, start)) return false
    }
    start = end + 1
  }
  return start > length
}

/**
 * `#` may stand for no level at all, which `+` never does; except in first place, where every topic has at
 * least one level: there `#` and `+/#` match the same topics.
 */
function isWholeTree(levels: readonly Level[], i: number): boolean {
  return i === 0 && levels.length === 2 && levels[1]!.kind === 'rest'
}
