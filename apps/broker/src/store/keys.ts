// The first octet tells what a key is about; numbers are big-endian, so that LevelDB keeps them in order.
//
//     v                              format of the store
//     s session                      a session: its name, its owner, its filters
//     q session sequence             a message that waits for it, or the PUBREL that does
//     m sequence                     a message that waits for more than one session
//     i session packet-identifier    a QoS 2 message of its client that waits for the PUBREL
//     r topic                        a retained message
//     w name                         the will of a client that is connected, or was when the broker was killed

export const kind = {
  session: 0x73,
  queued: 0x71,
  shared: 0x6d,
  incoming: 0x69,
  retained: 0x72,
  will: 0x77,
} as const

export function sessionKey(session: number): Buffer {
  const key = Buffer.allocUnsafe(5)
  key[0] = kind.session
  key.writeUInt32BE(session, 1)
  return key
}

export function queuedKey(session: number, sequence: number): Buffer {
  const key = Buffer.allocUnsafe(11)
  key[0] = kind.queued
  key.writeUInt32BE(session, 1)
  key.writeUIntBE(sequence, 5, 6)
  return key
}

export function sharedKey(sequence: number): Buffer {
  const key = Buffer.allocUnsafe(7)
  key[0] = kind.shared
  key.writeUIntBE(sequence, 1, 6)
  return key
}

export function incomingKey(session: number, messageId: number): Buffer {
  const key = Buffer.allocUnsafe(7)
  key[0] = kind.incoming
  key.writeUInt32BE(session, 1)
  key.writeUInt16BE(messageId, 5)
  return key
}

export function retainedKey(topic: string): Buffer {
  return Buffer.concat([Buffer.of(kind.retained), Buffer.from(topic)])
}

export function willKey(name: string): Buffer {
  return Buffer.concat([Buffer.of(kind.will), Buffer.from(name)])
}
