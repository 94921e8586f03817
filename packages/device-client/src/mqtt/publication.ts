import { DeviceClientError } from '../error.ts'
import type { PublishOptions } from './options.ts'
import type { Publication } from './outbox.ts'

/** Type, remaining length (4), topic length (2), packet identifier (2): MQTT 3.1.1 section 3.3. */
const HEADER_BYTES = 9

/**
 * Makes a message for the outbox and the promise of its fate. After `timeoutMs` the promise is rejected and
 * `onTimeout` called. Throws DeviceClientError `publish-too-large`.
 */
export function newPublication(
  topic: string,
  payload: string | Uint8Array,
  options: PublishOptions,
  maxPacketBytes: number,
  onTimeout: (late: Publication) => void,
): { publication: Publication; done: Promise<void> } {
  const bytes = Buffer.byteLength(topic) + Buffer.byteLength(payload)
  if (bytes + HEADER_BYTES > maxPacketBytes) {
    throw new DeviceClientError(
      'publish-too-large',
      `the message for ${topic} has ${bytes + HEADER_BYTES} bytes, ${maxPacketBytes} are allowed: split it`,
    )
  }
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let timer: NodeJS.Timeout | undefined
  const publication: Publication = {
    topic,
    payload,
    qos: options.qos ?? 1,
    retain: options.retain ?? false,
    bytes,
    packetId: 0,
    sends: 0,
    settled: false,
    settle(error) {
      if (publication.settled) return
      publication.settled = true
      clearTimeout(timer)
      if (error) reject(error)
      else resolve()
    },
  }
  if (options.timeoutMs !== undefined) {
    const { timeoutMs } = options
    timer = setTimeout(() => {
      publication.settle(
        new DeviceClientError('publish-timed-out', `no PUBACK for ${topic} within ${timeoutMs / 1000} s`),
      )
      onTimeout(publication)
    }, timeoutMs)
  }
  return { publication, done: promise }
}
