const slash = 0x2f
const plus = 0x2b
const hash = 0x23
const dollar = 0x24

/** Does a topic filter match a topic name (MQTT 3.1.1 section 4.7)? Both are well-formed. Does not allocate. */
export function matchesFilter(filter: string, topic: string): boolean {
  const first = filter.charCodeAt(0)
  // [MQTT-4.7.2-1]
  if (topic.charCodeAt(0) === dollar && (first === plus || first === hash)) return false
  let f = 0
  let t = 0
  for (;;) {
    const code = filter.charCodeAt(f)
    if (code === hash) return true
    if (code === plus) {
      f += 1
      while (t < topic.length && topic.charCodeAt(t) !== slash) t += 1
    } else {
      while (f < filter.length && filter.charCodeAt(f) !== slash) {
        if (filter.charCodeAt(f) !== topic.charCodeAt(t)) return false
        f += 1
        t += 1
      }
    }
    const isTopicAtEnd = t === topic.length
    // `a/#` matches `a` as well.
    if (isTopicAtEnd) return f === filter.length || filter.slice(f) === '/#'
    if (f === filter.length || topic.charCodeAt(t) !== slash) return false
    f += 1
    t += 1
  }
}
