import { LineCounter, isMap, isNode, isScalar, parseDocument, type Document } from 'yaml'
import { z } from 'zod'
import { PolicyError } from './error.ts'
import { type CompiledRule, policyRoles, withVerdict, type Policy, type RolePolicy } from './policy.ts'
import { compileRule, type Rule } from './rule.ts'
import { defaultTopicLimits, type TopicLimits } from './topic.ts'

const lines = z.array(z.string()).default([])

const noClientIds = 'needs at least one pattern, for example ${id}, or the word any'

const roleSchema = z.strictObject({
  clientIds: z.union([z.literal('any'), z.array(z.string()).min(1, noClientIds)], { error: noClientIds }),
  publish: lines,
  retain: z.array(z.string()).optional(),
  subscribe: lines,
})

const documentSchema = z.strictObject({
  version: z.literal(1, 'must be 1'),
  roles: z.strictObject({
    device: roleSchema.optional(),
    service: roleSchema.optional(),
    operator: roleSchema.optional(),
  }),
})

type Path = readonly (string | number)[]

/**
 * Reads a policy file's text into a compiled policy. `name` is the file name for messages, `topicLimits` are the broker's. Throws
 * `PolicyError` `policy-invalid` with all mistakes, each with its line, its key and the fix; a policy with a
 * mistake is never applied in part.
 */
export function parsePolicy(
  text: string,
  name: string,
  topicLimits: TopicLimits = defaultTopicLimits,
): Policy {
  const counter = new LineCounter()
  const document = parseDocument(text, { lineCounter: counter, prettyErrors: false })
  if (document.errors.length > 0) {
    throw invalid(
      name,
      document.errors.map((error) => `line ${counter.linePos(error.pos[0]).line}: ${error.message}`),
    )
  }
  const mistakes: string[] = []
  const at = (path: Path): number => lineOf(document, counter, path)
  const report = (path: Path, problem: string): void => {
    mistakes.push(`line ${at(path)}: ${formatPath(path)}: ${problem}`)
  }
  const compile = (texts: string[], path: Path): CompiledRule[] =>
    compileRules(texts, path, { at, report, topicLimits })
  const parsed = documentSchema.safeParse(plainValues(document, name))
  if (!parsed.success) {
    for (const issue of parsed.error.issues) reportIssue(issue, report)
    throw invalid(name, mistakes)
  }
  const roles = new Map<string, RolePolicy>()
  for (const role of policyRoles) {
    const source = parsed.data.roles[role]
    if (source === undefined) continue
    const path = ['roles', role]
    const publish = compile(source.publish, [...path, 'publish'])
    const place = [...path, 'clientIds']
    const clientIds =
      source.clientIds === 'any'
        ? [{ text: 'any', line: at(place) }]
        : source.clientIds.map((text, index) => {
            const problem = clientIdProblem(text)
            if (problem !== undefined) report([...place, index], problem)
            return { text, line: at([...place, index]) }
          })
    roles.set(role, {
      line: at(path),
      clientIds,
      publish,
      retain: source.retain === undefined ? publish : compile(source.retain, [...path, 'retain']),
      subscribe: compile(source.subscribe, [...path, 'subscribe']),
    })
  }
  if (mistakes.length > 0) throw invalid(name, mistakes)
  return { name, roles, topicLimits }
}

function plainValues(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: 10 })
  } catch (error) {
    // An alias that nothing defines, or ten that grow into millions of values.
    throw invalid(name, [`an alias (*) cannot be followed: ${(error as Error).message}`])
  }
}

interface Places {
  /** The line of something in the file. */
  readonly at: (path: Path) => number
  readonly report: (path: Path, problem: string) => void
  readonly topicLimits: TopicLimits
}

function compileRules(texts: string[], path: Path, { at, report, topicLimits }: Places): CompiledRule[] {
  const rules: CompiledRule[] = []
  texts.forEach((text, index) => {
    const rule = compileRule(text, topicLimits)
    const problem = 'fault' in rule ? rule.fault : reservedProblem(rule, path.at(-1) !== 'subscribe')
    if (problem !== undefined) report([...path, index], `"${text}" is not a usable topic filter: ${problem}`)
    else if ('levels' in rule) rules.push(withVerdict(rule, at([...path, index])))
  })
  return rules
}

function reservedProblem(rule: Rule, writes: boolean): string | undefined {
  const first = rule.levels[0]
  if (first?.kind !== 'text' || !first.text.startsWith('$')) return undefined
  if (writes) return 'topics that begin with $ belong to the broker; nobody else may publish there'
  if (first.text !== '$SYS') return 'of the topics that begin with $, only $SYS can be allowed'
  return undefined
}

/** Client ids must contain the device id: it is what keeps one identity out of another's session. */
function clientIdProblem(pattern: string): string | undefined {
  if (/^[A-Za-z0-9._-]*\$\{id\}[A-Za-z0-9._-]*\*?$/.test(pattern)) return undefined
  return `"${pattern}" is not a usable client id pattern: it must contain \${id} once, otherwise only letters, digits, ".", "_", "-", and a "*" at the end if any`
}

function reportIssue(issue: z.core.$ZodIssue, report: (path: Path, problem: string) => void): void {
  const path = issue.path as (string | number)[]
  if (issue.code !== 'unrecognized_keys') return report(path, issue.message)
  for (const key of issue.keys) report([...path, key], unknownKey(path, key))
}

function unknownKey(path: Path, key: string): string {
  if (path.length === 1 && key === 'claim') {
    return 'claim certificates may only enroll, never connect; remove this role'
  }
  if (path.length === 0) return 'unknown key; known are version, roles'
  if (path.length === 1) return `unknown role; known are ${policyRoles.join(', ')}`
  return `unknown key; known are ${Object.keys(roleSchema.shape).join(', ')}`
}

function formatPath(path: Path): string {
  if (path.length === 0) return '(the whole file)'
  return path
    .map((part, i) => (typeof part === 'number' ? `[${part}]` : `${i > 0 ? '.' : ''}${part}`))
    .join('')
}

/** The line of the key, else of the nearest thing around it that is in the file. */
function lineOf(document: Document, counter: LineCounter, path: Path): number {
  for (let depth = path.length; depth > 0; depth--) {
    const parent: unknown = depth === 1 ? document.contents : document.getIn(path.slice(0, depth - 1), true)
    if (isMap(parent)) {
      const key = parent.items.find((item) => isScalar(item.key) && item.key.value === path[depth - 1])?.key
      if (isScalar(key) && key.range) return counter.linePos(key.range[0]).line
    }
    const node: unknown = document.getIn(path.slice(0, depth), true)
    if (isNode(node) && node.range) return counter.linePos(node.range[0]).line
  }
  return 1
}

function invalid(name: string, mistakes: string[]): PolicyError {
  return new PolicyError('policy-invalid', `the policy file ${name} is not valid: ${mistakes.join('; ')}`)
}
