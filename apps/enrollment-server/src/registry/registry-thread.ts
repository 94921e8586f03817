import { Worker } from 'node:worker_threads'
import type { Answer, Call } from './batch.ts'
import { RegistryError, type RegistryErrorCode } from './registry-error.ts'
import type { RegistryOperations } from './registry.ts'
import type { ToWorker } from './worker.ts'

type FromWorker =
  | { readonly ready: true }
  | { readonly failed: { readonly code: RegistryErrorCode; readonly message: string } }
  | { readonly answers: readonly Answer[] }

// Bounds how long the first of a batch waits for the last.
const maxBatch = 512

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/** A thread with a connection of its own to the database. */
export interface RegistryThread {
  /** Asks for one operation; resolves after the transaction that it was part of is committed. */
  ask(name: keyof RegistryOperations, input: unknown): Promise<unknown>
  /** Finishes what was asked and ends the thread. */
  close(): Promise<void>
}

/**
 * Starts a thread on the database. One message is under way at a time: what is asked until its answer comes
 * shares the next one, and its commit. An idle thread is asked at once; a busy one pays for a message and an
 * fsync per batch instead of per operation.
 * @param onFailure called once if the thread dies by itself; everything asked then fails
 * @throws {RegistryError} `registry-open`, `registry-newer`
 */
export async function openRegistryThread(
  file: string,
  onFailure: (error: RegistryError) => void,
): Promise<RegistryThread> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { file } })
  const waiting: Waiting[] = []
  const outbox: Call[] = []
  let isBusy = false
  let closed: RegistryError | undefined

  const send = (message: ToWorker): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: it has no origin
    worker.postMessage(message)
  }
  const flush = (): void => {
    if (closed || isBusy || outbox.length === 0) return
    isBusy = true
    send(outbox.splice(0, maxBatch))
  }
  const fail = (error: RegistryError): void => {
    closed ??= error
    for (const caller of waiting.splice(0)) caller.reject(error)
  }

  const ended = new Promise<void>((resolve) => {
    worker.once('exit', () => resolve())
  })
  await new Promise<void>((resolve, reject) => {
    worker.once('error', (error) => {
      const failure = new RegistryError('registry-closed', `the registry thread died: ${String(error)}`)
      const unexpected = !closed
      fail(failure)
      reject(failure)
      if (unexpected) onFailure(failure)
    })
    worker.on('message', (message: FromWorker) => {
      if ('ready' in message) return resolve()
      if ('failed' in message) {
        return reject(new RegistryError(message.failed.code, `${file}: ${message.failed.message}`))
      }
      isBusy = false
      // Answers come in the order of the calls, over all messages.
      for (const answer of message.answers) {
        const caller = waiting.shift()
        if ('value' in answer) caller?.resolve(answer.value)
        else caller?.reject(new RegistryError('registry-failed', answer.error))
      }
      // Not at once: what the callers above ask next should travel along.
      setImmediate(flush)
    })
  })

  return {
    ask: (name, input) =>
      new Promise((resolve, reject) => {
        if (closed) return reject(closed)
        if (outbox.length === 0 && !isBusy) setImmediate(flush)
        outbox.push([name, input])
        waiting.push({ resolve, reject })
      }),
    close: async () => {
      if (closed) return ended
      closed = new RegistryError('registry-closed', 'the registry is closed')
      if (outbox.length > 0) send(outbox.splice(0))
      send(undefined)
      await ended
    },
  }
}
