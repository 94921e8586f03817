#!/usr/bin/env node
import process from 'node:process'

// An older Node cannot read the TypeScript behind this line, and would say so in words that help nobody.
if (process.features.typescript) {
  await import('../src/main.ts')
} else {
  process.stderr.write(
    `fleetctl: needs Node 24.12 or later, this is ${process.version}; start it with: npx fleetctl\n`,
  )
  process.exitCode = 1
}
