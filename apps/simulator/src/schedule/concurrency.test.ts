import { expect, test } from 'vitest'
import { concurrencyLimit } from './concurrency.ts'

test('never runs more tasks than the limit, runs all of them, and in order', async () => {
  const limited = concurrencyLimit(3)
  const started: number[] = []
  let running = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 20 }, (_, index) =>
      limited(async () => {
        started.push(index)
        most = Math.max(most, ++running)
        await new Promise(setImmediate)
        running--
      }),
    ),
  )
  expect(most).toBe(3)
  expect(started).toEqual(Array.from({ length: 20 }, (_, index) => index))
})

test('gives the place of a task that failed to the next', async () => {
  const limited = concurrencyLimit(1)
  await expect(limited(() => Promise.reject(new Error('no certificate')))).rejects.toThrow('no certificate')
  await expect(limited(() => Promise.resolve('next'))).resolves.toBe('next')
})
