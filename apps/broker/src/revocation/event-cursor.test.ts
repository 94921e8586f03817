import { describe, expect, test } from 'vitest'
import { EventCursor } from './event-cursor.ts'

describe('the cursor of the event stream', () => {
  test('follows consecutive events and knows those that come again', () => {
    const cursor = new EventCursor(4)
    expect([5, 6, 6, 5, 7].map((id) => cursor.take(id))).toEqual([
      'next',
      'next',
      'repeated',
      'repeated',
      'next',
    ])
    expect([cursor.upTo, cursor.isWhole]).toEqual([7, true])
  })

  test('begins with the first event where nothing is known', () => {
    const cursor = new EventCursor()
    expect(cursor.take(70)).toBe('next')
    expect(cursor.upTo).toBe(70)
  })

  test('stays before a gap until lists that include it close it', () => {
    const cursor = new EventCursor(4)
    expect([cursor.take(7), cursor.take(8), cursor.upTo]).toEqual(['gap', 'in-gap', 4])
    cursor.polled(5)
    expect([cursor.isWhole, cursor.upTo]).toEqual([false, 4])
    cursor.polled(6)
    expect([cursor.isWhole, cursor.upTo]).toEqual([true, 8])
    expect(cursor.take(9)).toBe('next')
  })

  test('a second gap within the first one is closed with it only by lists that include both', () => {
    const cursor = new EventCursor(4)
    expect([cursor.take(7), cursor.take(20)]).toEqual(['gap', 'in-gap'])
    cursor.polled(10)
    expect(cursor.isWhole).toBe(false)
    cursor.polled(19)
    expect([cursor.isWhole, cursor.upTo]).toEqual([true, 20])
  })

  test('an event out of order is neither repeated nor the end of the gap', () => {
    const cursor = new EventCursor(4)
    expect([cursor.take(6), cursor.take(5), cursor.take(7)]).toEqual(['gap', 'in-gap', 'in-gap'])
    expect(cursor.isWhole).toBe(false)
  })

  test('after three polls the missing events have changed nothing in the lists', () => {
    const cursor = new EventCursor(4)
    cursor.take(7)
    cursor.polled(4)
    cursor.polled(4)
    expect(cursor.isWhole).toBe(false)
    cursor.polled(4)
    expect([cursor.isWhole, cursor.upTo]).toEqual([true, 7])
  })

  test('moves forward with lists that are ahead of the stream', () => {
    const cursor = new EventCursor(4)
    cursor.polled(9)
    expect([cursor.upTo, cursor.take(8), cursor.take(10)]).toEqual([9, 'repeated', 'next'])
    cursor.polled(6)
    expect(cursor.upTo).toBe(10)
  })

  test('a reset forgets all numbers, because the server may have begun anew', () => {
    const cursor = new EventCursor(400)
    cursor.reset()
    expect([cursor.isWhole, cursor.upTo]).toEqual([false, undefined])
    cursor.polled(12)
    expect([cursor.isWhole, cursor.upTo, cursor.take(13)]).toEqual([true, 12, 'next'])
  })
})
