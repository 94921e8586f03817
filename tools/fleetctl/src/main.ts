import packageFile from '../package.json' with { type: 'json' }
import { runCommandLine } from './cli.ts'
import { exitStatus } from './error.ts'
import { processTerminal } from './terminal/process-terminal.ts'

const interruption = new AbortController()
process.on('SIGINT', () => {
  // The second one does not wait for anything.
  if (interruption.signal.aborted) process.exit(exitStatus.interrupted)
  interruption.abort()
})
// `fleetctl device list | head -1`: the reader has what it wanted.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit(exitStatus.done)
})
process.stderr.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await runCommandLine({
  argv: process.argv.slice(2),
  env: process.env,
  terminal: processTerminal(),
  version: packageFile.version,
  signal: interruption.signal,
  now: () => new Date(),
})
