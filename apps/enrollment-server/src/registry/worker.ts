import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import { type Call, createBatchRunner } from './batch.ts'
import { openDatabase } from './database.ts'
import { RegistryError } from './registry-error.ts'

/** A list of calls, or `undefined` to finish. */
export type ToWorker = readonly Call[] | undefined

// Bounds how long the first of a batch waits for the last.
const maxBatch = 512

const port = parentPort
if (!port) throw new Error('this file is the registry thread, it does not run by itself')

try {
  const database = openDatabase((workerData as { file: string }).file)
  const run = createBatchRunner(database)
  port.on('message', (first: ToWorker) => {
    // Whatever arrived while the last transaction was being committed goes into this one.
    const calls: Call[] = []
    let message: ToWorker = first
    while (message) {
      calls.push(...message)
      if (calls.length >= maxBatch) break
      const next: { message: ToWorker } | undefined = receiveMessageOnPort(port)
      if (!next) break
      message = next.message
    }
    if (calls.length > 0) port.postMessage({ answers: run(calls) })
    if (message === undefined) {
      database.close()
      port.close()
    }
  })
  port.postMessage({ ready: true })
} catch (error) {
  const code = error instanceof RegistryError ? error.code : 'registry-open'
  port.postMessage({ failed: { code, message: error instanceof Error ? error.message : String(error) } })
  port.close()
}
