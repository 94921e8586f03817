import { once } from 'node:events'
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls'

// MQTT 3.1.1 control packet types, section 2.2.1 of the specification.
const CONNACK = 2
const PUBLISH = 3
const PUBACK = 4
const SUBACK = 9

/** One mutual-TLS MQTT connection of the load generator: prepared bytes out, frames counted in. */
export interface MqttLoad {
  readonly socket: TLSSocket
  /** Sends SUBSCRIBE and resolves at SUBACK; rejects if the broker grants it not. */
  subscribe(filter: string, qos: 0 | 1): Promise<void>
  /** Sends `count` PUBLISH packets at QoS 0, waiting whenever the socket is full; resolves when all are written. */
  publish0(topic: string, payload: Buffer, count: number): Promise<void>
  /** Sends `count` PUBLISH packets at QoS 1 with at most `window` unacknowledged; resolves at the last PUBACK. */
  publish1(topic: string, payload: Buffer, count: number, window: number): Promise<void>
  /** Resolves when `count` PUBLISH packets have arrived since the connection was made. */
  received(count: number): Promise<void>
  /** Called with the payload of each PUBLISH at QoS 0 that arrives. */
  onMessage: ((payload: Buffer) => void) | undefined
  close(): Promise<void>
}

/**
 * Makes a full TLS handshake, sends CONNECT (clean session unless `clean` is false, keep alive 600 s) and resolves at
 * CONNACK 0. What arrives at QoS 1 is acknowledged, all of one chunk in one piece.
 */
export async function connectMqtt(
  options: ConnectionOptions,
  clientId: string,
  clean = true,
): Promise<MqttLoad> {
  const socket = connect(options)
  await once(socket, 'secureConnect')
  socket.setNoDelay(true)
  socket.setMaxListeners(0)
  let published = 0
  let acknowledged = 0
  let onProgress = (): void => {}
  const acks: ((body: Buffer) => void)[] = []
  let pubacks: Buffer[] = []
  readFrames(socket, (type, body, flags) => {
    if (type === PUBLISH) {
      published++
      if ((flags & 6) === 2) pubacks.push(pubackPacket(body))
      else load.onMessage?.(body.subarray(2 + body.readUInt16BE(0)))
    } else if (type === PUBACK) acknowledged++
    else if (type === CONNACK || type === SUBACK) acks.shift()?.(body)
    onProgress()
  })
  socket.on('data', () => {
    if (pubacks.length === 0) return
    socket.write(Buffer.concat(pubacks))
    pubacks = []
  })
  const acknowledgement = (): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      acks.push(resolve)
      socket.once('close', () => reject(new Error(`${clientId}: the broker closed the connection`)))
    })
  const until = (done: () => boolean): Promise<void> =>
    new Promise((resolve, reject) => {
      onProgress = () => done() && resolve()
      socket.once('close', () => reject(new Error(`${clientId}: the broker closed the connection`)))
      onProgress()
    })

  const connack = acknowledgement()
  socket.write(connectPacket(clientId, clean))
  const code = (await connack)[1]
  if (code !== 0) throw new Error(`${clientId}: CONNACK ${code}`)
  const load: MqttLoad = {
    socket,
    onMessage: undefined,
    subscribe: async (filter, qos) => {
      const suback = acknowledgement()
      socket.write(subscribePacket(filter, qos))
      if ((await suback)[2] !== qos) throw new Error(`${clientId}: SUBSCRIBE ${filter} was refused`)
    },
    publish0: async (topic, payload, count) => {
      const packet = publishPacket(topic, payload)
      const batch = Buffer.concat(Array.from({ length: 50 }, () => packet))
      for (let sent = 0; sent < count; sent += 50) {
        const bytes = count - sent >= 50 ? batch : batch.subarray(0, packet.length * (count - sent))
        if (!socket.write(bytes)) await once(socket, 'drain')
      }
    },
    publish1: async (topic, payload, count, window) => {
      acknowledged = 0
      let sent = 0
      await until(() => {
        const room = Math.min(window - (sent - acknowledged), count - sent)
        if (room > window / 4 || sent + room === count) {
          const packets = Array.from({ length: room }, (_, i) =>
            publishPacket(topic, payload, ((sent + i) % 65_535) + 1),
          )
          sent += room
          if (room > 0) socket.write(Buffer.concat(packets))
        }
        return acknowledged === count
      })
    },
    received: (count) => until(() => published >= count),
    close: async () => {
      // A broker may reset the connection at DISCONNECT instead of closing it: either is an end.
      socket.on('error', () => {})
      const closed = new Promise((resolve) => socket.once('close', resolve))
      socket.end(Buffer.from([0xe0, 0]))
      await closed
    },
  }
  return load
}

function readFrames(socket: TLSSocket, onFrame: (type: number, body: Buffer, flags: number) => void): void {
  let pending: Buffer = Buffer.alloc(0)
  socket.on('data', (chunk: Buffer) => {
    pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk])
    let at = 0
    for (;;) {
      let length = 0
      let cursor = at + 1
      for (let shift = 0; ; shift += 7) {
        const byte = pending[cursor++]
        if (byte === undefined) return void (pending = pending.subarray(at))
        length |= (byte & 127) << shift
        if (byte < 128) break
      }
      if (pending.length < cursor + length) return void (pending = pending.subarray(at))
      const header = pending[at] ?? 0
      onFrame(header >> 4, pending.subarray(cursor, cursor + length), header & 15)
      at = cursor + length
    }
  })
}

function packet(header: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  const length: number[] = []
  for (let rest = body.length; ; rest >>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  return Buffer.concat([Buffer.from([header, ...length]), body])
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes])
}

const connectPacket = (clientId: string, clean: boolean): Buffer =>
  packet(0x10, text('MQTT'), Buffer.from([4, clean ? 2 : 0, 2, 88]), text(clientId))

/** The PUBACK of a PUBLISH, whose packet identifier stands behind its topic. */
function pubackPacket(body: Buffer): Buffer {
  const at = 2 + body.readUInt16BE(0)
  return Buffer.from([0x40, 2, body[at] ?? 0, body[at + 1] ?? 0])
}

const subscribePacket = (filter: string, qos: number): Buffer =>
  packet(0x82, Buffer.from([0, 1]), text(filter), Buffer.from([qos]))

const publishPacket = (topic: string, payload: Buffer, id?: number): Buffer =>
  id === undefined
    ? packet(0x30, text(topic), payload)
    : packet(0x32, text(topic), Buffer.from([id >> 8, id & 255]), payload)
