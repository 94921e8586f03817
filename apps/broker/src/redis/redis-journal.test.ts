import { expect, test } from 'vitest'
import { BrokerError } from '../error.ts'
import { StoreCounts } from '../store/counts.ts'
import { RedisJournal } from './redis-journal.ts'

/** A journal whose calls are answered when the test says so. */
function startJournal() {
  const calls: { names: unknown[]; answer: () => void; fail: (why: Error) => void }[] = []
  const state: { failure: BrokerError | undefined } = { failure: undefined }
  const journal = new RedisJournal({
    counts: new StoreCounts(),
    write: (words) =>
      new Promise((resolve, reject) =>
        calls.push({
          names: words.filter((_, n) => n % 4 === 1),
          answer: () => resolve([Buffer.from('1'), Buffer.from('1')]),
          fail: reject,
        }),
      ),
    failure: () => state.failure,
    onFailure: (cause) => {
      state.failure = new BrokerError('store-failed', 'no Redis', { cause })
    },
    onWritten: () => undefined,
  })
  return { journal, calls, state }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const names = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, n) => `session ${from + n}`)

test('very many changes of one turn go in several calls, in their order, and whoever waits waits for all of them', async () => {
  const { journal, calls } = startJournal()
  for (const name of names(0, 2_500)) journal.add('free', name)
  let isSafe = false
  const flushed = journal.flushed()!.then(() => (isSafe = true))
  expect(calls.map((call) => call.names)).toEqual([names(0, 1_000), names(1_000, 2_000), names(2_000, 2_500)])
  for (const n of [2, 0]) calls[n]!.answer()
  await turn()
  expect(isSafe).toBe(false)
  calls[1]!.answer()
  await flushed
  expect(journal.flushed()).toBeUndefined()
})

test('when one of the calls fails whoever waits is told, and what is not known to be written is written again', async () => {
  const { journal, calls, state } = startJournal()
  for (const name of names(0, 2_500)) journal.add('free', name)
  const flushed = journal.flushed()
  calls[0]!.answer()
  for (const n of [1, 2]) calls[n]!.fail(new Error('gone'))
  await expect(flushed).rejects.toThrow('no Redis')
  state.failure = undefined
  const resumed = journal.resume()
  for (const n of [3, 4]) {
    await turn()
    calls[n]!.answer()
  }
  await resumed
  expect(calls.slice(3).map((call) => call.names)).toEqual([names(1_000, 2_000), names(2_000, 2_500)])
})

test('what was written after something that failed is written again after it, once', async () => {
  const { journal, calls, state } = startJournal()
  for (const name of ['first', 'second', 'third']) {
    journal.add('filter', name)
    void journal.flushed()!.catch(() => undefined)
  }
  calls[0]!.answer()
  calls[1]!.fail(new Error('OOM'))
  calls[2]!.answer()
  await turn()
  state.failure = undefined
  for (const expected of [['second', 'third'], []]) {
    const before = calls.length
    const resumed = journal.resume()
    for (const n of expected.keys()) {
      await turn()
      calls[before + n]!.answer()
    }
    await resumed
    expect(calls.slice(before).map((call) => call.names[0])).toEqual(expected)
  }
})
