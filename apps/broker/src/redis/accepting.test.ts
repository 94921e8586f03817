import { expect, test } from 'vitest'
import { Accepting, maxUnderWay } from './accepting.ts'

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
  return { accepted, accepting, answers, answer, learn, state, known }
}

test('messages are accepted in their order, though the first ones had to be sent again', async () => {
  const { accepted, accepting, answer, learn, state } = startScript()
  const done = [accepting.add('a', 'eve'), accepting.add('b', 'eve')]
  // The node has learned it by itself meanwhile: this one would be accepted, and overtake the others.
  state.known = 2
  done.push(accepting.add('c', 'eve'))
  await answer()
  expect(accepted).toEqual([])
  done.push(accepting.add('d', 'eve'))
  await learn()
  await answer()
  await answer()
  expect(accepted).toEqual(['a', 'b', 'c', 'd'])
  expect((await Promise.all(done)).map(String)).toEqual(['ok', 'ok', 'ok', 'ok'])
})

/** Answers until nothing is under way any more. */
async function answerAll({ answer, answers }: ReturnType<typeof startScript>): Promise<void> {
  while (answers.length > 0) await answer()
}

/** Many more than may be under way. */
const flood = Array.from({ length: 4 * maxUnderWay }, (_, n) => `eve ${n}`)

test('no more than so many are under way at the same time, and the order of an owner is kept', async () => {
  const script = startScript()
  const { accepted, accepting, answer, answers, state } = script
  state.known = 2
  const done = Promise.all(flood.map((work) => accepting.add(work, 'eve')))
  for (let round = 0; round < flood.length / maxUnderWay; round += 1) {
    expect(answers).toHaveLength(maxUnderWay)
    await answer()
  }
  expect(answers).toEqual([])
  await done
  expect(accepted).toEqual(flood)
})

test('owners take turns: who has little to say does not wait behind all that another one has', async () => {
  const script = startScript()
  const { accepted, accepting, answer, state } = script
  state.known = 2
  for (const work of flood) void accepting.add(work, 'eve')
  for (const owner of ['ann', 'bob']) for (const n of [0, 1]) void accepting.add(`${owner} ${n}`, owner)
  await answer()
  expect(accepted).toHaveLength(maxUnderWay)
  await answerAll(script)
  expect(accepted.slice(maxUnderWay, maxUnderWay + 6)).toEqual([
    `eve ${maxUnderWay}`,
    'ann 0',
    'bob 0',
    `eve ${maxUnderWay + 1}`,
    'ann 1',
    'bob 1',
  ])
  expect(accepted.filter((work) => work.startsWith('eve'))).toEqual(flood)
  expect(accepted).toHaveLength(flood.length + 4)
})

test('what has come too early goes again before what has waited, and no more than so many are under way', async () => {
  const script = startScript()
  const { accepted, accepting, answer, answers, learn } = script
  for (const work of flood) void accepting.add(work, 'eve')
  void accepting.add('bob 0', 'bob')
  await answer()
  expect(accepted).toEqual([])
  // The node does not know better yet.
  expect(answers).toEqual([])
  await learn()
  expect(answers).toHaveLength(maxUnderWay)
  await answerAll(script)
  expect(accepted.slice(0, maxUnderWay)).toEqual(flood.slice(0, maxUnderWay))
  expect(accepted.slice(maxUnderWay, maxUnderWay + 2)).toContain('bob 0')
  expect(accepted.filter((work) => work.startsWith('eve'))).toEqual(flood)
})

test('all that waits is rejected when Redis is gone, however much it is', async () => {
  const script = startScript()
  script.state.isGone = true
  const done = Promise.allSettled(flood.map((work) => script.accepting.add(work, 'eve')))
  await answerAll(script)
  expect(new Set((await done).map(({ status }) => status))).toEqual(new Set(['rejected']))
})

test('what waits is rejected when nothing more can be known, and what comes later is sent', async () => {
  const { accepted, accepting, answer, known, state } = startScript()
  const stale = accepting.add('a', 'eve')
  await answer()
  const waiting = accepting.add('b', 'eve')
  known.reject(new Error('gone'))
  await expect(stale).rejects.toThrow('gone')
  await expect(waiting).rejects.toThrow('gone')
  state.known = 2
  // Redis still waits for the round that was announced to it: the next answer says so.
  void accepting.add('c', 'eve').catch(() => undefined)
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
  await accepting.add('a', 'eve')
  await accepting.add('b', 'eve')
  expect(sent).toEqual(['a 1 0', 'a 2 1', 'a 3 2', 'a 4 3', 'b 4 0'])
})
