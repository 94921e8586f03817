import { decodeMessage, encodeMessage, type Message } from './message.ts'
import type { QueuedMessage } from './queue.ts'

//     octet 0      0: the message follows; 1: it is shared; 2: a PUBREL
//     octets 1-2   packet identifier
//     octet 3      quality of service of the delivery, and 4 for the retain flag
//     then         the message, or the sequence number of the shared one in 6 octets

const inline = 0
const elsewhere = 1
const pubrel = 2
const headerBytes = 4

/** What a record on disk says of a queued message. */
export interface QueuedRecord {
  readonly messageId: number
  readonly qos: 1 | 2
  readonly retain: boolean
  /** Undefined with `shared` undefined: a PUBREL. */
  readonly message: Message | undefined
  /** Sequence number of the shared message. */
  readonly shared: number | undefined
}

export function encodeQueued({ message, shared, messageId, qos, retain }: QueuedMessage): Buffer {
  let record: Buffer
  if (message === undefined) {
    record = Buffer.allocUnsafe(headerBytes)
    record[0] = pubrel
  } else if (shared === undefined) {
    record = encodeMessage(message, headerBytes)
    record[0] = inline
  } else {
    record = Buffer.allocUnsafe(headerBytes + 6)
    record[0] = elsewhere
    record.writeUIntBE(shared.sequence, headerBytes, 6)
  }
  record.writeUInt16BE(messageId, 1)
  record[3] = qos | (retain ? 4 : 0)
  return record
}

/** Reads what `encodeQueued` wrote; throws RangeError when it is not that. */
export function decodeQueued(record: Buffer): QueuedRecord {
  const form = record.readUInt8(0)
  const qos = record.readUInt8(3) & 3
  if (form > pubrel || (qos !== 1 && qos !== 2))
    throw new RangeError(`a queued message of form ${form}, QoS ${qos}`)
  return {
    messageId: record.readUInt16BE(1),
    qos,
    retain: (record.readUInt8(3) & 4) !== 0,
    message: form === inline ? decodeMessage(record, headerBytes) : undefined,
    shared: form === elsewhere ? record.readUIntBE(headerBytes, 6) : undefined,
  }
}
