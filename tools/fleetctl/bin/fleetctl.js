#!/usr/bin/env node
import nodeModule from 'node:module'
import { join } from 'node:path'
import process from 'node:process'

// An older Node cannot read the TypeScript behind this line, and would say so in words that help nobody.
if (process.features.typescript) {
  // Compiled code is kept, which makes a command start in a third of the time; beside what is installed, and not in the
  // machine's /tmp, where others could leave code for us.
  nodeModule.enableCompileCache(join(import.meta.dirname, '../../../node_modules/.cache/fleetctl'))
  await import('../src/main.ts')
} else {
  process.stderr.write(
    `fleetctl: needs Node 24.12 or later, this is ${process.version}; start it with: npx fleetctl\n`,
  )
  process.exitCode = 1
}
