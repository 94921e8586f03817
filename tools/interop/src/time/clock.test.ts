import { join } from 'node:path'
import { startProcess, temporaryFolder } from '@fleetroot/harness'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { settableClock } from './clock.ts'

judgedBy(['faketime'], 'Node under libfaketime', () => {
  test('reads the clock that it is given, in every thread, and keeps its timers when that is set', async () => {
    using folder = temporaryFolder()
    const clock = settableClock(join(folder.path, 'clock'))
    const code = `
      const tell = (name) => setInterval(() => console.log(name, Date.now(), performance.now()), 50)
      if (require('worker_threads').isMainThread) {
        tell('main'); new (require('worker_threads').Worker)(process.argv[1], { eval: true, argv: [''] })
      } else tell('worker')`
    const child = startProcess('clock', ['-e', code, '--', code], clock.env)
    const year = 365 * 86_400_000
    const told = async (name: string): Promise<[wall: number, elapsed: number]> => {
      const [, wall, elapsed] = await child.waitFor(
        new RegExp(`^${name} (\\d+) ([\\d.]+)$`, 'm'),
        child.output().length,
      )
      return [Number(wall), Number(elapsed)]
    }
    try {
      for (const name of ['main', 'worker']) {
        clock.set('+0')
        const [before, started] = await told(name)
        for (const [offset, years] of [
          ['+10y', 10],
          ['-10y', -10],
        ] as const) {
          clock.set(offset)
          await told(name)
          const [wall, elapsed] = await told(name)
          expect(Math.round((wall - before) / year)).toBe(years)
          expect(elapsed - started).toBeLessThan(100_000)
        }
      }
    } finally {
      await child.stop('SIGKILL')
    }
  })
})
