import { describe, expect, it } from 'vitest'

import { type Clock, Timetable } from './timetable.ts'

/** A clock that the test moves, and a count of the timers it was asked for. */
function manualClock() {
  let time = 0
  let timer: { at: number; run: () => void } | undefined
  const clock = {
    timers: 0,
    now: () => time,
    after(delayMs: number, run: () => void) {
      clock.timers += 1
      const own = { at: time + delayMs, run }
      timer = own
      return () => {
        if (timer === own) timer = undefined
      }
    },
    /** Jumps, as the clock of a machine that slept, and then fires what is due. */
    jumpTo(to: number) {
      time = to
      while (timer !== undefined && timer.at <= time) {
        const { run } = timer
        timer = undefined
        run()
      }
    },
  } satisfies Clock & Record<string, unknown>
  return clock
}

describe('a timetable', () => {
  it('runs 5,000 entries in order behind one timer at a time', () => {
    const clock = manualClock()
    const table = new Timetable(clock)
    const ran: number[] = []
    const times = Array.from({ length: 5_000 }, (_, index) => ((index * 7_919) % 5_000) + 1)
    for (const at of times) table.at(at, () => ran.push(at))
    // One for the first, and one whenever an earlier one came.
    expect(clock.timers).toBeLessThan(20)
    for (let now = 0; now <= 5_000; now += 100) clock.jumpTo(now)
    expect(ran).toEqual(times.toSorted((a, b) => a - b))
    expect(table.size).toBe(0)
  })

  it('does not run what was cancelled, or anything after it was cleared', () => {
    const clock = manualClock()
    const table = new Timetable(clock)
    const ran: string[] = []
    const cancel = table.at(10, () => ran.push('cancelled'))
    table.at(20, () => ran.push('kept'))
    table.at(30, () => ran.push('cleared'))
    cancel()
    clock.jumpTo(25)
    table.clear()
    clock.jumpTo(40)
    expect(ran).toEqual(['kept'])
    table.at(50, () => ran.push('after'))
    clock.jumpTo(50)
    expect(ran).toEqual(['kept', 'after'])
  })

  it('looks at the clock once a minute, so that what fell due while the machine slept is not late by the sleep', () => {
    const clock = manualClock()
    const table = new Timetable(clock)
    let ranAt: number | undefined
    table.at(3_600_000, () => (ranAt = clock.now()))
    clock.jumpTo(60_000)
    expect(ranAt).toBeUndefined()
    clock.jumpTo(4_000_000)
    expect(ranAt).toBe(4_000_000)
  })

  it('lets an entry that adds another due one wait its turn', () => {
    const clock = manualClock()
    const table = new Timetable(clock)
    const ran: string[] = []
    table.at(5, () => {
      ran.push('first')
      table.at(5, () => ran.push('added'))
    })
    table.at(6, () => ran.push('second'))
    clock.jumpTo(10)
    expect(ran).toEqual(['first', 'second', 'added'])
  })
})
