import { Worker } from 'node:worker_threads'
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

/** A thread that answers calls by name: see `serveCalls` for its side. */
export interface Thread {
  ask(name: string, input: unknown): Promise<unknown>
  /** Finishes what was asked and ends the thread. */
  close(): Promise<void>
}

/**
 * Starts a thread. What is asked in one turn of the event loop shares a message, and so does what is asked while
 * the thread has enough to do: an idle thread is asked at once; a busy one costs a message, and if it writes an
 * fsync, per batch instead of per call.
 * @param onFailure called once if the thread ends by itself; everything asked then fails
 * @throws {RegistryError} `registry-open`, `registry-newer`
 */
export async function openThread(
  script: URL,
  workerData: { readonly file: string },
  onFailure: (error: RegistryError) => void,
): Promise<Thread> {
  const worker = new Worker(script, { workerData })
  const underWay = new Map<number, Waiting[]>()
  let calls: Call[] = []
  let callers: Waiting[] = []
  let batch = 0
  let closed: RegistryError | undefined

  const send = (message: ToThread): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: it has no origin
    worker.postMessage(message)
  }
  const sendBatch = (): void => {
    batch += 1
    underWay.set(batch, callers.splice(0, maxBatch))
    send({ batch, calls: calls.splice(0, maxBatch) })
  }
  const flush = (): void => {
    if (closed) return
    while (underWay.size < maxUnderWay && calls.length > 0) sendBatch()
  }
  const fail = (error: RegistryError): void => {
    closed ??= error
    const lost = [...underWay.values(), callers].flat()
    underWay.clear()
    calls = []
    callers = []
    for (const caller of lost) caller.reject(error)
  }

  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve())
  })
  await new Promise<void>((resolve, reject) => {
    const died = (how: string): void => {
      const failure = new RegistryError('registry-closed', `the registry thread died: ${how}`)
      const unexpected = !closed
      fail(failure)
      reject(failure)
      if (unexpected) onFailure(failure)
    }
    worker.once('error', (error) => died(String(error)))
    worker.once('exit', (status) => {
      if (!closed) died(`it ended with status ${status}`)
    })
    worker.on('message', (message: FromThread) => {
      if ('ready' in message) return resolve()
      if ('failed' in message) {
        const { code = 'registry-open', message: reason } = message.failed
        closed = new RegistryError(code, `${workerData.file}: ${reason}`)
        return reject(closed)
      }
      const answered = underWay.get(message.batch)
      underWay.delete(message.batch)
      for (const [n, answer] of message.answers.entries()) {
        if ('value' in answer) answered?.[n]?.resolve(answer.value)
        else answered?.[n]?.reject(unpackError(answer.error))
      }
      // Not at once: what the callers above ask next should travel along.
      setImmediate(flush)
    })
  })

  return {
    ask: (name, input) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(closed)
        if (calls.length === 0) setImmediate(flush)
        calls.push([name, input])
        callers.push({ resolve, reject })
      }),
    close: async () => {
      if (closed) return ended
      closed = new RegistryError('registry-closed', 'the registry is closed')
      while (calls.length > 0) sendBatch()
      send(undefined)
      await ended
    },
  }
}
