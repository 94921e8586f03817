import { parentPort, workerData } from 'node:worker_threads'
import { type Call, createBatchRunner } from './batch.ts'
import { openDatabase } from './database.ts'
import { RegistryError } from './registry-error.ts'

/** The calls of one transaction, or `undefined` to finish. */
export type ToWorker = readonly Call[] | undefined

const port = parentPort
if (!port) throw new Error('this file is the registry thread, it does not run by itself')

try {
  const database = openDatabase((workerData as { file: string }).file)
  const run = createBatchRunner(database)
  port.on('message', (calls: ToWorker) => {
    if (calls) {
      port.postMessage({ answers: run(calls) })
    } else {
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
