import { type MessagePort, Worker } from 'node:worker_threads'
import { createCalls } from './calls.ts'
import { RegistryError } from './registry-error.ts'
import type { FromThread, ToThread } from './thread-message.ts'

/** A thread that answers calls by name: see `serveCalls` for its side. */
export interface Thread {
  ask(name: string, input: unknown): Promise<unknown>
  /** Finishes what was asked and ends the thread. */
  close(): Promise<void>
}

/**
 * Starts a thread, which is asked as {@link createCalls} says.
 * @param onFailure called once if the thread ends by itself; everything asked then fails
 * @param ports those in `workerData`, which the thread takes over
 * @throws {RegistryError} `registry-open`, `registry-newer`
 */
export async function openThread(
  script: URL,
  workerData: { readonly file: string },
  onFailure: (error: RegistryError) => void,
  ports: readonly MessagePort[] = [],
): Promise<Thread> {
  const worker = new Worker(script, { workerData, transferList: [...ports] })
  let isClosed = false

  const send = (message: ToThread): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: it has no origin
    worker.postMessage(message)
  }
  const calls = createCalls(send)
  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve())
  })
  await new Promise<void>((resolve, reject) => {
    const died = (how: string): void => {
      const failure = new RegistryError('registry-closed', `the registry thread died: ${how}`)
      const unexpected = !isClosed
      isClosed = true
      calls.fail(failure)
      reject(failure)
      if (unexpected) onFailure(failure)
    }
    worker.once('error', (error) => died(String(error)))
    worker.once('exit', (status) => {
      if (!isClosed) died(`it ended with status ${status}`)
    })
    worker.on('message', (message: FromThread) => {
      if ('ready' in message) return resolve()
      if ('failed' in message) {
        const { code = 'registry-open', message: reason } = message.failed
        isClosed = true
        const failure = new RegistryError(code, `${workerData.file}: ${reason}`)
        calls.fail(failure)
        return reject(failure)
      }
      calls.answered(message)
    })
  })

  return {
    ask: (name, input) => calls.ask(name, input),
    close: async () => {
      if (isClosed) return ended
      isClosed = true
      calls.finish()
      send(undefined)
      await ended
    },
  }
}
