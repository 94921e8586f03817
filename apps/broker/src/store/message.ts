/** A PUBLISH as the store keeps it. */
export interface Message {
  readonly topic: string
  readonly payload: Buffer
  readonly qos: 0 | 1 | 2
  /** When the broker accepted it, in milliseconds since 1970. */
  readonly time: number
}

//     octet 0      quality of service
//     octets 1-6   time
//     octets 7-8   length of the topic in octets
//     then         topic, payload

const headerBytes = 9

/** Writes a message behind `prefix` octets that are the caller's. */
export function encodeMessage({ topic, payload, qos, time }: Message, prefix = 0): Buffer {
  const topicBytes = Buffer.byteLength(topic)
  const record = Buffer.allocUnsafe(prefix + headerBytes + topicBytes + payload.length)
  record[prefix] = qos
  record.writeUIntBE(time, prefix + 1, 6)
  record.writeUInt16BE(topicBytes, prefix + 7)
  record.write(topic, prefix + headerBytes)
  payload.copy(record, prefix + headerBytes + topicBytes)
  return record
}

/** Reads what `encodeMessage` wrote; throws RangeError when it is not that. */
export function decodeMessage(record: Buffer, prefix = 0): Message {
  const qos = record.readUInt8(prefix)
  if (qos > 2) throw new RangeError(`quality of service ${qos}`)
  const start = prefix + headerBytes
  const end = start + record.readUInt16BE(prefix + 7)
  if (end > record.length) throw new RangeError('a topic that does not end')
  return {
    topic: record.toString('utf8', start, end),
    payload: Buffer.from(record.subarray(end)),
    qos: qos as Message['qos'],
    time: record.readUIntBE(prefix + 1, 6),
  }
}
