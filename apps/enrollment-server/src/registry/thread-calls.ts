import type { MessagePort } from 'node:worker_threads'
import { parentPort } from 'node:worker_threads'
import { type Answer, type Call, type FromThread, packError, type ToThread } from './thread-message.ts'

/** What a thread can be asked, by name. */
export type Operations = Readonly<Record<string, (input: never) => Promise<unknown>>>

/**
 * Runs the thread's side of `openThread`: starts, says so, and answers each batch with one message when all its
 * calls are answered. When it is told to finish it answers what it was asked before, then closes.
 * @param others ports of other threads that may ask as well; they have nothing under way any more when the end comes
 */
export function serveCalls(
  start: () => { operations: Operations; close: () => void },
  others: readonly MessagePort[] = [],
): void {
  const port = parentPort
  if (!port) throw new Error('this file is a thread of the server, it does not run by itself')
  try {
    const { operations, close } = start()
    const underWay = new Set<Promise<void>>()
    const finish = async (): Promise<void> => {
      await Promise.all(underWay)
      close()
      for (const one of [port, ...others]) one.close()
    }
    for (const one of [port, ...others]) {
      one.on('message', (message: ToThread) => {
        if (message) {
          const batch = answerBatch(one, operations, message).finally(() => underWay.delete(batch))
          underWay.add(batch)
        } else void finish()
      })
    }
    send(port, { ready: true })
  } catch (error) {
    send(port, { failed: packError(error) })
    for (const one of [port, ...others]) one.close()
  }
}

async function answerBatch(
  port: MessagePort,
  operations: Operations,
  { batch, calls }: NonNullable<ToThread>,
): Promise<void> {
  send(port, { batch, answers: await Promise.all(calls.map((call) => answer(operations, call))) })
}

async function answer(operations: Operations, [name, input]: Call): Promise<Answer> {
  try {
    const operation = Object.hasOwn(operations, name) ? operations[name] : undefined
    if (!operation) throw new Error(`this thread does not know ${name}`)
    return { value: await operation(input as never) }
  } catch (error) {
    return { error: packError(error) }
  }
}

function send(port: MessagePort, message: FromThread): void {
  port.postMessage(message)
}
