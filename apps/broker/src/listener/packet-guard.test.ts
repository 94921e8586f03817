import * as fc from 'fast-check'
import { generate, parser, type Packet } from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import { PacketGuard, type GuardReason } from './packet-guard.ts'

const connect = generate({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clientId: 'a',
  clean: true,
})
const publish = (size: number): Buffer =>
  generate({ cmd: 'publish', topic: 'a', payload: Buffer.alloc(size), qos: 0, dup: false, retain: false })

function reasonFor(...chunks: Uint8Array[]): GuardReason | undefined {
  const guard = new PacketGuard()
  for (const chunk of chunks) {
    const refusal = guard.inspect(chunk)
    if (refusal !== undefined) return refusal.reason
  }
  return undefined
}

/** A fixed header that announces `length` more bytes. */
function header(firstByte: number, length: number): Buffer {
  const bytes = [firstByte]
  do {
    bytes.push((length % 128) | (length > 127 ? 0x80 : 0))
    length = Math.floor(length / 128)
  } while (length > 0)
  return Buffer.from(bytes)
}

describe('the packet guard refuses', () => {
  test('a CONNECT of 200 MB as soon as its length is announced', () => {
    expect(reasonFor(header(0x10, 200 * 1024 * 1024))).toBe('packet-too-large')
  })

  test('a CONNECT over 8 KiB, fixed header included', () => {
    expect(reasonFor(header(0x10, 8192 - 3))).toBeUndefined()
    expect(reasonFor(header(0x10, 8192 - 2))).toBe('packet-too-large')
  })

  test('any other packet over 128 KiB', () => {
    expect(reasonFor(connect, header(0x30, 131_072 - 4))).toBeUndefined()
    expect(reasonFor(connect, header(0x30, 131_072 - 3))).toBe('packet-too-large')
    expect(reasonFor(connect, header(0x82, 131_072))).toBe('packet-too-large')
  })

  test('a remaining length of five bytes', () => {
    expect(reasonFor(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x80]))).toBe('packet-length')
    expect(reasonFor(Buffer.from([0x10, 0x80, 0x80, 0x80, 0x80, 0x01]))).toBe('packet-length')
  })

  test.each([0x00, 0x20, 0x30, 0x40, 0x82, 0xa2, 0xc0, 0xe0, 0xf0, 0x16, 0x47])(
    'a first byte of 0x%s unless it is a CONNECT',
    (byte) => {
      const expected = byte >> 4 === 1 ? undefined : 'first-packet-not-connect'
      expect(reasonFor(Buffer.from([byte]))).toBe(expected)
    },
  )

  test('a second CONNECT [MQTT-3.1.0-2]', () => expect(reasonFor(connect, connect)).toBe('connect-repeated'))

  test.each([0x00, 0x20, 0x90, 0xb0, 0xd0, 0xf0])(
    'packets that only a server sends, and reserved ones: 0x%s',
    (byte) => expect(reasonFor(connect, Buffer.from([byte]))).toBe('packet-type'),
  )

  test.each([0x40, 0x50, 0x62, 0x70, 0xc0, 0xe0])(
    'an acknowledgement, ping or DISCONNECT with a body: 0x%s',
    (byte) => expect(reasonFor(connect, header(byte, 100))).toBe('packet-length'),
  )
})

describe('the packet guard counts topic filters', () => {
  const filters = (count: number): string[] => Array.from({ length: count }, (_, n) => `f/${n}`)
  const subscribe = (count: number): Buffer =>
    generate({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: filters(count).map((topic) => ({ topic, qos: 1 })),
    })
  const unsubscribe = (count: number): Buffer =>
    generate({ cmd: 'unsubscribe', messageId: 1, unsubscriptions: filters(count) })

  test.each([
    ['a SUBSCRIBE', subscribe],
    ['an UNSUBSCRIBE', unsubscribe],
  ])('and refuses %s with more than a session may have, however the bytes are cut', (_what, make) => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), (size) => {
        const pieces = (bytes: Buffer): Buffer[] =>
          Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
            bytes.subarray(n * size, (n + 1) * size),
          )
        expect(
          reasonFor(connect, ...pieces(Buffer.concat([make(100), make(100), publish(1)]))),
        ).toBeUndefined()
        expect(reasonFor(connect, ...pieces(make(101)))).toBe('too-many-filters')
      }),
    )
  })
})

test('the packet guard tells how many packets and filters have begun since it was asked last, however the bytes are cut', () => {
  const subscribe = generate({
    cmd: 'subscribe',
    messageId: 1,
    subscriptions: ['a', 'b/#', 'c'].map((topic) => ({ topic, qos: 1 })),
  })
  const unsubscribe = generate({ cmd: 'unsubscribe', messageId: 2, unsubscriptions: ['a', 'c'] })
  const bytes = Buffer.concat([connect, subscribe, publish(9), unsubscribe])
  fc.assert(
    fc.property(fc.integer({ min: 1, max: bytes.length }), (size) => {
      const guard = new PacketGuard()
      const sum = { messages: 0, filters: 0 }
      for (let at = 0; at < bytes.length; at += size) {
        expect(guard.inspect(bytes.subarray(at, at + size))).toBeUndefined()
        const { messages, filters } = guard.takeCounts()
        sum.messages += messages
        sum.filters += filters
      }
      expect(sum).toEqual({ messages: 3, filters: 5 })
      expect(guard.takeCounts()).toEqual({ messages: 0, bytes: 0, filters: 0 })
    }),
  )
})

describe('the packet guard and mqtt-packet', () => {
  const packet: fc.Arbitrary<Packet> = fc.oneof(
    fc.nat(400).map((size): Packet => ({
      cmd: 'publish',
      topic: 'x/y',
      payload: Buffer.alloc(size, 0x10),
      qos: 1,
      messageId: 7,
      dup: false,
      retain: false,
    })),
    fc.constantFrom<Packet>(
      { cmd: 'pingreq' },
      { cmd: 'puback', messageId: 1 },
      { cmd: 'pubrel', messageId: 2 },
      { cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'a/#', qos: 1 }] },
      { cmd: 'unsubscribe', messageId: 4, unsubscriptions: ['a/#'] },
    ),
  )

  test('agree on where packets begin, however the bytes are cut', () => {
    fc.assert(
      fc.property(
        fc.array(packet, { maxLength: 12 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 90 })),
        (packets, cuts) => {
          const bytes = Buffer.concat([connect, ...packets.map((each) => generate(each))])
          const guard = new PacketGuard()
          let parsed = 0
          const reader = parser()
          reader.on('packet', () => (parsed += 1))
          for (let at = 0; at < bytes.length;) {
            const chunk = bytes.subarray(at, (at += cuts.next().value as number))
            expect(guard.inspect(chunk)).toBeUndefined()
            reader.parse(chunk)
          }
          expect(parsed).toBe(packets.length + 1)
          // The guard stands at the beginning of a packet again: this byte is a packet type to it.
          expect(guard.inspect(Buffer.from([0xd0]))?.reason).toBe('packet-type')
        },
      ),
      { numRuns: 500 },
    )
  })

  test('never let more than one packet limit be collected, whatever bytes come', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { maxLength: 40 }), (chunks) => {
        const guard = new PacketGuard({ maxConnectBytes: 64, maxPacketBytes: 256, maxFilters: 5 })
        const reader = parser()
        reader.on('error', () => undefined)
        for (const chunk of [connect, ...chunks].map((each) => Buffer.from(each))) {
          if (guard.inspect(chunk) !== undefined) return
          const waiting = reader.parse(chunk)
          expect(waiting).toBeLessThanOrEqual(256)
          if ((reader as unknown as { error: unknown }).error) return
        }
      }),
      { numRuns: 2000 },
    )
  })
})

test('a packet as large as the limit passes in pieces', () => {
  const large = publish(131_072 - 1 - 3 - 3)
  expect(large.length).toBe(131_072)
  expect(
    reasonFor(connect, large.subarray(0, 1), large.subarray(1, 3), large.subarray(3), publish(1)),
  ).toBeUndefined()
})
