/** Lets at most `limit` tasks run at a time; the others wait in the order in which they came. */
export function concurrencyLimit(limit: number): <T>(task: () => Promise<T>) => Promise<T> {
  let running = 0
  const waiting: (() => void)[] = []

  return async (task) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await task()
    } finally {
      // The place goes to the next in line directly: a newcomer must not slip in between.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
