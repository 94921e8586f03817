import { Duplex } from 'node:stream'
import { generate } from 'mqtt-packet'
import { expect, test } from 'vitest'
import { InboundMeter } from '../guard/inbound-meter.ts'
import { noRates } from '../testing/no-rates.ts'
import { guardStream } from './guarded-stream.ts'
import { defaultPacketLimits, type GuardRefusal } from './packet-guard.ts'

function memoryStream(): Duplex {
  return new Duplex({ read: () => undefined, write: (_chunk, _encoding, done) => done() })
}

test('what the guard refuses never reaches the reader, and the stream is destroyed', () => {
  const stream = memoryStream()
  const refusals: GuardRefusal[] = []
  guardStream(stream, defaultPacketLimits, (refusal) => refusals.push(refusal))
  stream.push(Buffer.from([0x10, 0x02, 0x00, 0x00]))
  expect(stream.read()).toEqual(Buffer.from([0x10, 0x02, 0x00, 0x00]))
  stream.push(Buffer.from([0xc0, 0x00, 0x20, 0x00]))
  expect(stream.read()).toBeNull()
  expect(stream.destroyed).toBe(true)
  expect(stream.read()).toBeNull()
  expect(refusals).toEqual([{ reason: 'packet-type', detail: 'CONNACK from a client' }])
})

test('what came in several chunks at once is read at once, as aedes expects', () => {
  const stream = memoryStream()
  guardStream(stream, defaultPacketLimits, () => undefined)
  for (const byte of [0x10, 0x02, 0x00, 0x00]) stream.push(Buffer.of(byte))
  expect(stream.read()).toEqual(Buffer.from([0x10, 0x02, 0x00, 0x00]))
  expect(stream.read()).toBeNull()
})

/** Streams of one identity that may change a filter a millisecond, whose clients have connected. */
function openMetered(count: number): Duplex[] {
  const filterRate = { perSecond: 1_000, burst: 1 }
  const meter = new InboundMeter({ ...noRates, filterRate, maxHeldBackMs: 60_000 })
  return Array.from({ length: count }, () => {
    const stream = memoryStream()
    guardStream(stream, defaultPacketLimits, () => undefined, { meter, onLimit: () => undefined })
    stream.push(connectPacket)
    expect(stream.read()).toEqual(connectPacket)
    return stream
  })
}

const connectPacket = generate({ cmd: 'connect', clientId: 'eve', clean: true, keepalive: 60 })
const subscribePacket = generate({
  cmd: 'subscribe',
  messageId: 1,
  subscriptions: Array.from({ length: 100 }, (_, n) => ({ topic: `devices/eve/${n}`, qos: 1 })),
})

test('what one stream owes holds all of its identity, before they are read, and nothing of it is lost', async () => {
  const streams = openMetered(3)
  for (const stream of streams) stream.push(subscribePacket)
  expect(streams.map((stream) => stream.read() as unknown)).toEqual([subscribePacket, null, null])
  // All of them go on to flood.
  const order: number[] = []
  streams[0]!.push(subscribePacket)
  await new Promise<void>((resolve) => {
    for (const [n, stream] of streams.entries()) {
      stream.on('readable', () => {
        const bytes: unknown = stream.read()
        if (bytes === null) return
        expect(bytes).toEqual(subscribePacket)
        order.push(n)
        if (order.length === 6) resolve()
        else stream.push(subscribePacket)
      })
    }
  })
  expect(order).toEqual([0, 1, 2, 0, 1, 2])
})

test('a CONNECT is read whatever its identity owes, also when it comes in pieces', () => {
  const filterRate = { perSecond: 0.001, burst: 1 }
  const meter = new InboundMeter({ ...noRates, filterRate, maxHeldBackMs: 60_000 })
  meter.charge({ messages: 1, bytes: 1, filters: 10 }, performance.now())
  const stream = memoryStream()
  guardStream(stream, defaultPacketLimits, () => undefined, { meter, onLimit: () => undefined })
  stream.push(connectPacket.subarray(0, 9))
  expect(stream.read()).toEqual(connectPacket.subarray(0, 9))
  stream.push(connectPacket.subarray(9))
  expect(stream.read()).toEqual(connectPacket.subarray(9))
  stream.push(subscribePacket)
  expect(stream.read()).toBeNull()
})
