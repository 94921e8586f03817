import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root } from './repository.ts'

// The layer table of docs/architecture.md is only as good as the lint that keeps it: each forbidden import
// is written into a copy of the tree's shape, and oxlint, with the project's own configuration, must refuse it.

const forbidden: [file: string, specifier: string][] = [
  ['packages/pki/src/a.ts', '@fleetroot/tls-config'],
  ['packages/pki/src/b.ts', 'node:fs'],
  ['packages/pki/src/c.ts', 'node:net'],
  ['packages/tls-config/src/a.ts', '@fleetroot/device-client'],
  ['packages/tls-config/src/b.ts', 'node-forge'],
  ['packages/service/src/a.ts', '@fleetroot/pki'],
  ['packages/policy/src/a.ts', '@fleetroot/pki'],
  ['packages/policy/src/b.ts', 'aedes'],
  ['packages/device-client/src/a.ts', '@fleetroot/service'],
  ['packages/device-client/src/b.ts', 'aedes'],
  ['apps/broker/src/a.ts', '@fleetroot/enrollment-server'],
  ['apps/broker/src/b.ts', 'mqtt'],
  ['apps/enrollment-server/src/a.ts', 'aedes'],
  ['apps/simulator/src/a.ts', 'mqtt'],
  ['apps/simulator/src/b.ts', '@fleetroot/broker'],
  ['apps/simulator/src/c.ts', 'node-forge'],
  ['tools/fleetctl/src/a.ts', '@fleetroot/broker'],
  ['tools/fleetctl/src/b.ts', '@fleetroot/enrollment-server'],
  ['tools/fleetctl/src/c.ts', 'node-forge'],
  ['examples/gateway-ts/a.ts', '@fleetroot/pki'],
  ['examples/gateway-ts/b.ts', 'mqtt'],
]

const allowed: [file: string, specifier: string][] = [
  ['packages/pki/src/ok.ts', 'node-forge'],
  ['packages/tls-config/src/ok.ts', '@fleetroot/pki'],
  ['packages/device-client/src/ok.ts', 'mqtt'],
  ['apps/broker/src/ok.ts', 'aedes'],
  ['apps/broker/src/policy.ts', '@fleetroot/policy'],
  ['apps/simulator/src/ok.ts', '@fleetroot/device-client'],
  ['tools/fleetctl/src/ok.ts', '@fleetroot/policy'],
  ['examples/gateway-ts/ok.ts', '@fleetroot/device-client'],
]

let tree: string
let output: string

beforeAll(() => {
  tree = mkdtempSync(join(tmpdir(), 'fleetroot-layers-'))
  copyFileSync(join(root, '.oxlintrc.json'), join(tree, '.oxlintrc.json'))
  for (const [file, specifier] of [...forbidden, ...allowed]) {
    mkdirSync(dirname(join(tree, file)), { recursive: true })
    writeFileSync(join(tree, file), `import { a } from '${specifier}'\nexport const b = a\n`)
  }
  const run = spawnSync(join(root, 'node_modules/.bin/oxlint'), ['--format=unix', '.'], {
    cwd: tree,
    encoding: 'utf8',
  })
  output = run.stdout
})

afterAll(() => rmSync(tree, { recursive: true, force: true }))

test.each(forbidden)('%s may not import %s', (file) => {
  expect(output).toMatch(new RegExp(`${file.replace('.', '\\.')}:.*import is restricted`))
})

test.each(allowed)('%s may import %s', (file) => {
  expect(output).not.toContain(file)
})
