import { describe, expect, test } from 'vitest'
import { seededRandom } from '../random/random.ts'
import { type Clock, createAgenda } from './agenda.ts'

/** A clock that only moves when the test moves it. */
function manualClock(): Clock & { move(to: number): void; timers(): number } {
  let now = 0
  let timers: { at: number; run: () => void }[] = []
  return {
    now: () => now,
    after(delayMs, run) {
      const timer = { at: now + delayMs, run }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    timers: () => timers.length,
    move(to) {
      for (;;) {
        const next = timers.filter((timer) => timer.at <= to).sort((a, b) => a.at - b.at)[0]
        if (next === undefined) break
        timers = timers.filter((other) => other !== next)
        now = Math.max(now, next.at)
        next.run()
      }
      now = to
    },
  }
}

describe('createAgenda', () => {
  test('runs a thousand entries in order of time, whatever order they came in, on one timer', () => {
    const clock = manualClock()
    const agenda = createAgenda(clock)
    const random = seededRandom(1, 'agenda')
    const ran: number[] = []
    for (let index = 0; index < 1_000; index++) {
      const at = Math.floor(random.between(0, 500))
      agenda.at(at, () => ran.push(at))
      expect(clock.timers()).toBe(1)
    }
    clock.move(500)
    expect(ran).toHaveLength(1_000)
    expect(ran).toEqual(ran.toSorted((a, b) => a - b))
    expect(agenda.size).toBe(0)
  })

  test('runs entries of the same time in the order in which they were added', () => {
    const clock = manualClock()
    const agenda = createAgenda(clock)
    const ran: string[] = []
    for (const name of ['a', 'b', 'c', 'd', 'e']) agenda.at(10, () => ran.push(name))
    clock.move(10)
    expect(ran.join('')).toBe('abcde')
  })

  test('does not drift: an entry that repeats from its own time keeps its grid when the clock is late', () => {
    const clock = manualClock()
    const agenda = createAgenda(clock)
    const intended: number[] = []
    const repeat = (at: number) => {
      agenda.at(at, () => {
        intended.push(at)
        repeat(at + 100)
      })
    }
    repeat(0)
    for (let at = 0; at < 1_000; at += 37) clock.move(at)
    clock.move(1_000)
    expect(intended).toEqual([0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1_000])
  })

  test('runs an entry that comes before the one it was waiting for', () => {
    const clock = manualClock()
    const agenda = createAgenda(clock)
    const ran: string[] = []
    agenda.at(1_000, () => ran.push('late'))
    agenda.at(10, () => ran.push('early'))
    clock.move(10)
    expect(ran).toEqual(['early'])
    clock.move(1_000)
    expect(ran).toEqual(['early', 'late'])
  })

  test('leaves a time that a timer cannot reach for later instead of running it at once', () => {
    const clock = manualClock()
    const agenda = createAgenda(clock)
    let ran = false
    agenda.at(2 ** 32, () => (ran = true))
    clock.move(2 ** 31)
    expect(ran).toBe(false)
    clock.move(2 ** 32)
    expect(ran).toBe(true)
  })

  test('runs nothing after close, not even what was due in the same moment', () => {
    const clock = manualClock()
    const agenda = createAgenda(clock)
    const ran: string[] = []
    agenda.at(5, () => {
      ran.push('first')
      agenda.close()
    })
    agenda.at(5, () => ran.push('second'))
    clock.move(10)
    agenda.at(20, () => ran.push('third'))
    clock.move(30)
    expect(ran).toEqual(['first'])
    expect(clock.timers()).toBe(0)
  })
})
