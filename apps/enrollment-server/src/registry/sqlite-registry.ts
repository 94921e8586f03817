import { Worker } from 'node:worker_threads'
import type { Answer, Call } from './batch.ts'
import { RegistryError, type RegistryErrorCode } from './registry-error.ts'
import type { Registry, RegistryOperations } from './registry.ts'
import type { ToWorker } from './worker.ts'

type FromWorker =
  | { readonly ready: true }
  | { readonly failed: { readonly code: RegistryErrorCode; readonly message: string } }
  | { readonly answers: readonly Answer[] }

interface Waiting {
  resolve(value: unknown): void
  reject(error: Error): void
}

/**
 * Opens the SQLite registry in a thread of its own, so that no fsync holds up a handshake. What is asked in
 * one turn of the event loop travels as one message, what arrives during a commit shares the next one.
 * @param onFailure called once if the thread dies by itself; everything asked then fails
 * @throws {RegistryError} `registry-open`, `registry-newer`
 */
export async function openSqliteRegistry(
  file: string,
  onFailure: (error: RegistryError) => void = () => {},
): Promise<Registry> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: { file } })
  const waiting: Waiting[] = []
  let outbox: Call[] = []
  let closed: RegistryError | undefined

  const send = (message: ToWorker): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window: it has no origin
    worker.postMessage(message)
  }
  const flush = (): void => {
    const calls = outbox
    outbox = []
    if (!closed && calls.length > 0) send(calls)
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
      // Answers come in the order of the calls, over all messages.
      for (const answer of message.answers) {
        const caller = waiting.shift()
        if ('value' in answer) caller?.resolve(answer.value)
        else caller?.reject(new RegistryError('registry-failed', answer.error))
      }
    })
  })

  function operation<Name extends keyof RegistryOperations>(name: Name): Registry[Name] {
    const ask = (input: unknown): Promise<unknown> =>
      new Promise((resolve, reject) => {
        if (closed) return reject(closed)
        if (outbox.length === 0) setImmediate(flush)
        outbox.push([name, input])
        waiting.push({ resolve, reject })
      })
    return ask as Registry[Name]
  }

  return {
    addDevice: operation('addDevice'),
    findDevice: operation('findDevice'),
    listDevices: operation('listDevices'),
    renameDevice: operation('renameDevice'),
    addToken: operation('addToken'),
    findToken: operation('findToken'),
    findCertificate: operation('findCertificate'),
    findKeyHolder: operation('findKeyHolder'),
    recordCertificate: operation('recordCertificate'),
    close: async () => {
      if (closed) return ended
      flush()
      closed = new RegistryError('registry-closed', 'the registry is closed')
      send(undefined)
      await ended
    },
  }
}
