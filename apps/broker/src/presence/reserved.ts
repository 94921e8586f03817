import type { Action } from '@fleetroot/policy'

/** Where the broker says who is connected, retained: `fleet/presence/<device id>`. */
export const presenceTopic = 'fleet/presence'
/** Where it says what happens to connections, not retained: `fleet/lifecycle/<device id>`. */
export const lifecycleTopic = 'fleet/lifecycle'

/**
 * What no policy can give: the topics of presence and lifecycle are written by the broker alone, or their messages
 * would prove nothing; and `$SYS`, where aedes names every session and every subscription, is for operators.
 */
export function isReserved(role: string, action: Action, topic: string): boolean {
  if (action === 'publish' || action === 'retain') {
    return isBelow(topic, presenceTopic) || isBelow(topic, lifecycleTopic)
  }
  return role !== 'operator' && isBelow(topic, '$SYS')
}

function isBelow(topic: string, prefix: string): boolean {
  return topic.startsWith(prefix) && (topic.length === prefix.length || topic[prefix.length] === '/')
}
