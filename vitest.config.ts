import { defineConfig } from 'vitest/config'

// nx asks its tasks for colours; with NO_COLOR as well, Node warns on stderr in every child that a test starts.
if (process.env['FORCE_COLOR'] !== undefined) delete process.env['NO_COLOR']

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    // Key generation and real handshakes on a shared machine: generous, and no test asserts on time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    passWithNoTests: false,
  },
})
