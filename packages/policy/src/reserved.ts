import type { Action } from './policy.ts'

/** Where the broker says who is connected, retained: `fleet/presence/<device id>`. */
export const presenceTopic = 'fleet/presence'
/** Where it says what happens to connections, not retained: `fleet/lifecycle/<device id>`. */
export const lifecycleTopic = 'fleet/lifecycle'

/**
 * What no policy can give: the topics of presence and lifecycle are written by the broker alone, or their messages
 * would prove nothing; so are those that begin with `$`, where aedes takes orders from `$SYS/+/new/clients`; and `$SYS`,
 * where it names every session and every subscription, is for operators to read. A sentence that says so; undefined:
 * the policy decides.
 */
export function findReservation(role: string, action: Action, topic: string): string | undefined {
  if (action === 'publish' || action === 'retain') {
    if (topic.charCodeAt(0) === 0x24) {
      return 'topics that begin with $ belong to the broker, whatever the policy says'
    }
    if (isBelow(topic, presenceTopic) || isBelow(topic, lifecycleTopic)) {
      return `${presenceTopic} and ${lifecycleTopic} are written by the broker alone, whatever the policy says`
    }
    return undefined
  }
  if (role === 'operator' || !isBelow(topic, '$SYS')) return undefined
  return '$SYS is for operators, whatever the policy says'
}

function isBelow(topic: string, prefix: string): boolean {
  return topic.startsWith(prefix) && (topic.length === prefix.length || topic[prefix.length] === '/')
}
