import { DeviceClientError } from '../error.ts'

/** QoS 2 is left out on purpose: QoS 1 and an id in the payload survive more than its four packets do. */
export type QoS = 0 | 1

/** A message that arrived. */
export interface Message {
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  retain: boolean
  /** The DUP flag: the broker sent it before, so it may have been handled before [MQTT-3.3.1-3]. */
  duplicate: boolean
}

/** What the broker publishes for us when the connection ends without a DISCONNECT (MQTT 3.1.1 section 3.1.2.5). */
export interface Will {
  topic: string
  payload: string | Uint8Array
  qos?: QoS
  retain?: boolean
}

/**
 * Throws DeviceClientError `option-invalid` unless `topic` may be published to: not empty, at most 65,535
 * bytes, no wildcard, no NUL [MQTT-3.3.2-2] [MQTT-4.7.3].
 */
export function checkTopic(topic: string, field = 'topic'): void {
  const problem =
    textProblem(topic) ?? (/[+#]/.test(topic) ? 'holds a wildcard, which only filters may' : undefined)
  if (problem) throw new DeviceClientError('option-invalid', `${field} ${problem}`)
}

/** Throws DeviceClientError `option-invalid` unless `filter` is a topic filter [MQTT-4.7.1-2] [MQTT-4.7.1-3]. */
export function checkFilter(filter: string): void {
  const problem = textProblem(filter)
  if (problem) throw new DeviceClientError('option-invalid', `topic filter ${problem}`)
  const levels = filter.split('/')
  const misplaced = levels.some((level, at) =>
    level.length > 1 ? /[+#]/.test(level) : level === '#' && at < levels.length - 1,
  )
  if (misplaced) {
    throw new DeviceClientError(
      'option-invalid',
      'topic filter: + and # stand alone in their level, and # comes last',
    )
  }
}

function textProblem(text: string): string | undefined {
  if (text.length === 0) return 'is empty'
  if (text.includes('\0')) return 'holds a NUL character'
  if (Buffer.byteLength(text) > 65_535) return 'is longer than 65,535 bytes'
  return undefined
}
