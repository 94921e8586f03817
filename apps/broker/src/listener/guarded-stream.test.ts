import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
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
