import { expect, test } from 'vitest'
import { Accepting } from './accepting.ts'

/** A Redis that goes by versions and rounds as the script does; answers come when the test says so. */
function startScript() {
  const accepted: string[] = []
  const answers: (() => void)[] = []
  const known = Promise.withResolvers<void>()
  const state = { version: 2, known: 1, round: 0, isGone: false }
  const accepting = new Accepting<string>({
    send: (work, round) => {
      const version = state.known
      return new Promise((resolve, reject) =>
        answers.push(() => {
          if (state.isGone) return reject(new Error('gone'))
          if (round < state.round) return resolve([Buffer.from('stale'), Buffer.from('2')])
          if (version !== state.version) {
            state.round = round + 1
            return resolve([Buffer.from('stale'), Buffer.from('2')])
          }
          accepted.push(work)
          return resolve([Buffer.from('ok')])
        }),
      )
    },
    known: () => known.promise,
  })
  const answer = async (): Promise<void> => {
    for (const each of answers.splice(0)) each()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const learn = async (): Promise<void> => {
    state.known = 2
    known.resolve()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { accepted, accepting, answer, learn, state, known }
}

test('messages are accepted in their order, though the first ones had to be sent again', async () => {
  const { accepted, accepting, answer, learn, state } = startScript()
  const done = [accepting.add('a'), accepting.add('b')]
  // The node has learned it by itself meanwhile: this one would be accepted, and overtake the others.
  state.known = 2
  done.push(accepting.add('c'))
  await answer()
  expect(accepted).toEqual([])
  done.push(accepting.add('d'))
  await learn()
  await answer()
  await answer()
  expect(accepted).toEqual(['a', 'b', 'c', 'd'])
  expect((await Promise.all(done)).map(String)).toEqual(['ok', 'ok', 'ok', 'ok'])
})

test('what waits is rejected when nothing more can be known, and what comes later is sent', async () => {
  const { accepted, accepting, answer, known, state } = startScript()
  const stale = accepting.add('a')
  await answer()
  const waiting = accepting.add('b')
  known.reject(new Error('gone'))
  await expect(stale).rejects.toThrow('gone')
  await expect(waiting).rejects.toThrow('gone')
  state.known = 2
  // Redis still waits for the round that was announced to it: the next answer says so.
  void accepting.add('c').catch(() => undefined)
  await answer()
  expect(accepted).toEqual([])
})

test('whoever sends is told how often a message has been overtaken, so that it need not be for ever', async () => {
  const sent: string[] = []
  const accepting = new Accepting<string>({
    send: async (work, round, attempt) => {
      sent.push(`${work} ${round} ${attempt}`)
      if (sent.length > 9) throw new Error(sent.join())
      return attempt < 3 && work === 'a' ? [Buffer.from('stale'), Buffer.from('2')] : [Buffer.from('ok')]
    },
    known: async () => undefined,
  })
  await accepting.add('a')
  await accepting.add('b')
  expect(sent).toEqual(['a 1 0', 'a 2 1', 'a 3 2', 'a 4 3', 'b 4 0'])
})
