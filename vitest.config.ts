import { join } from 'node:path'
import { defineConfig } from 'vitest/config'

// nx asks its tasks for colours; with NO_COLOR as well, Node warns on stderr in every child that a test starts.
if (process.env['FORCE_COLOR'] !== undefined) delete process.env['NO_COLOR']

// Hundreds of processes load the same modules: Node compiles each for the first of them.
process.env['NODE_COMPILE_CACHE'] ??= join(import.meta.dirname, 'node_modules/.cache/compiled')

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    // Key generation and real handshakes on a shared machine: generous, and no test asserts on time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 60_000 } },
    passWithNoTests: false,
    // A process per project, not per file, each of which would load the same modules again. No test leaves anything behind.
    isolate: false,
  },
})
