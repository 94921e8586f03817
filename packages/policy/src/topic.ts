/** How long and how deep a topic or filter may be. */
export interface TopicLimits {
  /** In UTF-16 code units. MQTT allows 65,535 bytes [MQTT-4.7.3-3]. */
  readonly maxLength: number
  /** aedes itself gives up at 100. */
  readonly maxLevels: number
}

export const defaultTopicLimits: TopicLimits = { maxLength: 1024, maxLevels: 32 }

/** Why a topic name or topic filter is refused before any rule is looked at. */
export type TopicFault =
  | 'topic-empty'
  | 'topic-too-long'
  | 'topic-too-deep'
  | 'topic-character'
  | 'topic-empty-level'
  | 'topic-dot-level'
  | 'topic-wildcard'
  | 'filter-wildcard'

const slash = 0x2f
const plus = 0x2b
const hash = 0x23
const dot = 0x2e

/**
 * Looks for what makes `text` unfit as a topic name (`'topic'`) or as a topic filter (`'filter'`), in one
 * pass without allocating. Stricter than MQTT 3.1.1, which lets a server choose: refused are
 *
 * - control characters, NUL among them [MQTT-4.7.3-2], and U+FFFD, which is what the decoder leaves of
 *   bytes that are not UTF-8 [MQTT-1.5.3-1];
 * - empty levels (`a//b`, `/a`, `a/`): two topics that look alike to a human are a gap in a policy;
 * - the levels `.` and `..`: they mean nothing in MQTT and too much to whoever maps topics to paths;
 * - `+` and `#` that are not a level of their own, and `#` that is not the last one [MQTT-4.7.1-2, -3].
 */
export function findTopicFault(
  text: string,
  kind: 'topic' | 'filter',
  limits: TopicLimits = defaultTopicLimits,
): TopicFault | undefined {
  const length = text.length
  if (length === 0) return 'topic-empty'
  if (length > limits.maxLength) return 'topic-too-long'
  let levels = 1
  let start = 0
  let wildcard = false
  for (let i = 0; i <= length; i++) {
    const code = i === length ? slash : text.charCodeAt(i)
    if (code === slash) {
      const size = i - start
      if (size === 0) return 'topic-empty-level'
      if (isDotLevel(text, start, size)) return 'topic-dot-level'
      if (wildcard && size !== 1) return 'filter-wildcard'
      if (wildcard && text.charCodeAt(start) === hash && i !== length) return 'filter-wildcard'
      if (i === length) break
      if (++levels > limits.maxLevels) return 'topic-too-deep'
      start = i + 1
      wildcard = false
    } else if (code === plus || code === hash) {
      if (kind === 'topic') return 'topic-wildcard'
      wildcard = true
    } else if (code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0xfffd) {
      return 'topic-character'
    }
  }
  return undefined
}

function isDotLevel(text: string, start: number, size: number): boolean {
  if (size > 2 || text.charCodeAt(start) !== dot) return false
  return size === 1 || text.charCodeAt(start + 1) === dot
}
