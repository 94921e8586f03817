import { describe, expect, test } from 'vitest'
import { type Snapshot, createCensus, snapshot } from '../accounting/census.ts'
import { liveLines, liveView } from './live.ts'
import { plainView, progressLine } from './plain.ts'

function publishing(changes: Partial<Snapshot> = {}): Snapshot {
  const census = createCensus(25)
  Object.assign(census, { enrolled: 20, reused: 5, connected: 25, online: 25 })
  for (let sequence = 1; sequence <= 1_200; sequence++) {
    census.ledger.published('a', sequence, 0)
    census.ledger.acknowledged('a', sequence)
    if (sequence > 3) census.ledger.delivered('a', sequence)
    census.delivery.record(2)
  }
  const moment = { phase: 'publish' as const, elapsedMs: 7_000, publishingMs: 5_000, durationMs: 20_000 }
  return { ...snapshot(census, moment), ...changes }
}

describe('the plain view', () => {
  test('says what happened at once, the label in a column of its own', () => {
    const written: string[] = []
    const view = plainView({ write: (text) => written.push(text) })
    view.say('register', '25 devices registered')
    view.say('enroll', '25 certificates')
    expect(written).toEqual(['  register    25 devices registered\n', '  enroll      25 certificates\n'])
  })

  test('prints figures once in five seconds, however often it is told', () => {
    const written: string[] = []
    const view = plainView({ write: (text) => written.push(text) })
    for (let elapsedMs = 0; elapsedMs <= 20_000; elapsedMs += 100)
      view.show(publishing({ publishingMs: elapsedMs }))
    expect(written).toHaveLength(4)
    expect(written[0]).toContain('  publish        5 s')
  })

  test('grows quieter: an hour is fewer than forty lines', () => {
    const written: string[] = []
    const view = plainView({ write: (text) => written.push(text) })
    const state = publishing()
    for (let elapsedMs = 0; elapsedMs <= 3_600_000; elapsedMs += 200)
      view.show({ ...state, publishingMs: elapsedMs })
    expect(written.length).toBeGreaterThan(20)
    expect(written.length).toBeLessThan(45)
  })

  test('shows what is published, acknowledged, delivered and on the way, and nothing about no errors', () => {
    expect(progressLine(publishing())).toBe(
      '  publish        5 s  25 online  1,200 published  1,200 acknowledged  1,197 delivered  3 in flight  p50 2.0 ms  p99 2.0 ms',
    )
    expect(progressLine(publishing({ errors: 2, lastError: 'connection lost' }))).toMatch(
      /2 errors: connection lost$/,
    )
  })

  test('counts renewed certificates once there are any', () => {
    expect(progressLine(publishing())).not.toContain('renewed')
    expect(progressLine(publishing({ renewed: 12 }))).toContain('3 in flight  12 renewed  p50')
    expect(liveLines(publishing({ renewed: 1 }), 120)[1]).toContain('1 certificate renewed')
  })

  test('shows how far the fleet is while it arrives', () => {
    expect(progressLine(publishing({ phase: 'arrive', enrolled: 7, connected: 3 }))).toBe(
      '  arrive         7 s  12 of 25 enrolled  3 connected',
    )
    expect(progressLine(publishing({ phase: 'register' }))).toBeUndefined()
  })
})

describe('the live view', () => {
  test('draws a bar per phase and never a line that would wrap', () => {
    const lines = liveLines(publishing({ connected: 10 }), 60)
    expect(lines).toHaveLength(5)
    expect(lines[0]).toContain('████████████████████████ 25/25')
    expect(lines[1]).toContain('█████████░░░░░░░░░░░░░░░ 10/25')
    expect(lines.every((text) => text.length < 60)).toBe(true)
  })

  test('erases exactly what it drew, keeps what was said, and gives the cursor back', () => {
    const written: string[] = []
    const view = liveView({ columns: 100, write: (text) => written.push(text) })
    view.show(publishing())
    view.say('command', '25 of 25 answered')
    view.close()
    expect(written[0]).toBe('\u001B[?25l')
    expect(written[2]).toContain('\u001B[5A\r\u001B[J  command     25 of 25 answered\n')
    expect(written.slice(-2)).toEqual(['\u001B[5A\r\u001B[J', '\u001B[?25h'])
  })

  test('says how to end a run without an end', () => {
    expect(liveLines(publishing({ durationMs: undefined }), 120)[2]).toContain('Ctrl-C ends it')
  })
})
