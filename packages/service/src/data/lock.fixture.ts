// A process that takes the lock given as its argument, says so, and holds it until it is killed.
import { acquireLock } from './lock.ts'

await acquireLock(process.argv[2] ?? '')
process.stdout.write('locked\n')
setInterval(() => {}, 60_000)
