import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { identity } from '../testing/bench-engine.ts'
import { decodeMessage, encodeMessage } from './message.ts'
import { decodeQueued } from './queued-record.ts'
import { decodeSession, encodeSession, newSession } from './stored-session.ts'

const bytes = fc.uint8Array({ maxLength: 300 }).map((octets) => Buffer.from(octets))

test('a message is read as it was written, behind whatever stands before it', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 100, unit: 'grapheme' }),
      bytes,
      fc.constantFrom(0 as const, 1 as const, 2 as const),
      fc.nat(2 ** 40),
      fc.nat(20),
      (topic, payload, qos, time, prefix) => {
        const message = { topic: topic.toWellFormed(), payload, qos, time }
        expect(decodeMessage(encodeMessage(message, prefix), prefix)).toEqual(message)
      },
    ),
  )
})

test('a session is read as it was written, with its owner and the listener through which it came', () => {
  const session = newSession(7, 'service/backend/backend.1')
  session.owner = identity('service', 'backend', { o: 'Example', listener: 'inside' })
  session.leftMs = 1_700_000_000_000
  session.sentThrough = 41
  session.subscriptions.set('devices/#', { session, topic: 'devices/#', options: { qos: 2 } })
  expect(decodeSession(7, encodeSession(session))).toEqual(session)
})

test('whatever else is on disk is refused, and not read as something', () => {
  fc.assert(
    fc.property(bytes, (record) => {
      for (const decode of [decodeMessage, decodeQueued]) {
        try {
          decode(record)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }
      expect(() => decodeSession(1, record)).toThrow(/./)
    }),
  )
})
