import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { CrowdAnswer, CrowdCommand, CrowdOrders, Return } from './orders.ts'

/** Devices in processes of their own. */
export interface Crowd {
  /** Connects all of them, so many at once in each process. */
  readonly gather: (atOnce: number) => Promise<void>
  /** Cuts all of their connections; resolves when each is back. */
  readonly storm: () => Promise<Return[]>
  /** Ends its processes. */
  readonly leave: () => Promise<void>
}

/** Starts `processes` processes that share the members of a crowd. The caller has it leave. */
export function startCrowd(orders: CrowdOrders, processes: number): Crowd {
  const main = fileURLToPath(new URL('main.ts', import.meta.url))
  const children = Array.from({ length: processes }, (_, index) => ({
    child: fork(main, { serialization: 'advanced' }),
    share: { ...orders, members: orders.members.filter((_member, n) => n % processes === index) },
  }))

  async function ask(child: (typeof children)[number]['child'], command: CrowdCommand): Promise<CrowdAnswer> {
    const ended = new AbortController()
    child.once('exit', () => ended.abort(new Error('a process of the crowd ended')))
    const answered = once(child, 'message', { signal: ended.signal })
    child.send(command)
    const [answer] = (await answered) as [CrowdAnswer]
    if (answer.done === 'failed') throw new Error(answer.reason)
    return answer
  }

  return {
    gather: async (atOnce) => {
      await Promise.all(
        children.map(({ child, share }) => ask(child, { command: 'gather', orders: share, atOnce })),
      )
    },
    storm: async () => {
      const answers = await Promise.all(children.map(({ child }) => ask(child, { command: 'storm' })))
      return answers.flatMap((answer) => (answer.done === 'storm' ? answer.returns : []))
    },
    leave: async () => {
      await Promise.all(
        children.map(async ({ child }) => {
          if (child.exitCode !== null || child.signalCode !== null) return
          const gone = once(child, 'exit')
          child.disconnect()
          await gone
        }),
      )
    },
  }
}
