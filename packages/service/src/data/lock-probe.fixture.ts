// A process that tries for the lock given as its argument once, and prints how that went.
import { acquireLock } from './lock.ts'

try {
  await acquireLock(process.argv[2] ?? '', { waitMs: 0 })
  process.stdout.write('locked\n')
} catch (error) {
  process.stdout.write(`${(error as { code: string }).code}\n`)
}
