import type { MessagePort } from 'node:worker_threads'
import { RegistryError } from './registry-error.ts'
import { type Call, type FromThread, type ToThread, unpackError } from './thread-message.ts'

// Bounds how long the first of a batch waits for the last.
const maxBatch = 32
// One is answered while the next one waits at the thread, which then never waits for this one.
const maxUnderWay = 2

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** The asking side of a thread that answers calls by name: see `serveCalls` for the other one. */
export interface Calls {
  ask(name: string, input: unknown): Promise<unknown>
  /** Takes a message with answers. */
  answered(message: Extract<FromThread, { answers: unknown }>): void
  /** Fails all that was asked and is not answered, and whatever is asked from now on. The first error stays. */
  fail(error: RegistryError): void
  /** Sends all that was asked. What is asked from now on fails. */
  finish(): void
}

/**
 * Returns the asking side of a thread. What is asked in one turn of the event loop shares a message, and so does what is
 * asked while the thread has enough to do: an idle thread is asked at once; a busy one costs a message, and if it
 * writes an fsync, per batch instead of per call.
 */
export function createCalls(send: (message: ToThread) => void): Calls {
  const underWay = new Map<number, Waiting[]>()
  let calls: Call[] = []
  let callers: Waiting[] = []
  let batch = 0
  let closed: RegistryError | undefined

  const sendBatch = (): void => {
    batch += 1
    underWay.set(batch, callers.splice(0, maxBatch))
    send({ batch, calls: calls.splice(0, maxBatch) })
  }
  const flush = (): void => {
    if (closed) return
    while (underWay.size < maxUnderWay && calls.length > 0) sendBatch()
  }

  return {
    ask: (name, input) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(closed)
        if (calls.length === 0) setImmediate(flush)
        calls.push([name, input])
        callers.push({ resolve, reject })
      }),
    answered: (message) => {
      const waiting = underWay.get(message.batch)
      underWay.delete(message.batch)
      for (const [n, answer] of message.answers.entries()) {
        if ('value' in answer) waiting?.[n]?.resolve(answer.value)
        else waiting?.[n]?.reject(unpackError(answer.error))
      }
      // Not at once: what the callers above ask next should travel along.
      setImmediate(flush)
    },
    fail: (error) => {
      closed ??= error
      const lost = [...underWay.values(), callers].flat()
      underWay.clear()
      calls = []
      callers = []
      for (const caller of lost) caller.reject(error)
    },
    finish: () => {
      closed ??= new RegistryError('registry-closed', 'the registry is closed')
      while (calls.length > 0) sendBatch()
    },
  }
}

/** The asking side over a port to a thread that has been started elsewhere. Everything fails when that one is gone. */
export function askOver(port: MessagePort): Pick<Calls, 'ask'> {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a port, not a window: it has no origin
  const calls = createCalls((message) => port.postMessage(message))
  port.on('message', (message: Parameters<Calls['answered']>[0]) => calls.answered(message))
  port.on('close', () => calls.fail(new RegistryError('registry-closed', 'the registry is closed')))
  return calls
}
