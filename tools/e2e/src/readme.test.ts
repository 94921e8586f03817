import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shellBlocks, temporaryFolder } from '@fleetroot/harness'
import { expect, test } from 'vitest'
import { ownEnvironment } from './environment.ts'

// The commands of the README that start a fleet and end by themselves, as they stand there.

const root = join(import.meta.dirname, '../../..')
const blocks = shellBlocks('README.md').filter((block) =>
  /nx run simulator:serve .*--duration|^npx node apps/ms.test(block),
)

test('there are such commands', () => expect(blocks).toHaveLength(3))

test.each(blocks)('%s', async (block) => {
  using folder = temporaryFolder()
  const report = join(folder.path, 'report.json')
  const child = spawn('bash', ['-euo', 'pipefail', '-c', block.replace('=report.json', `=${report}`)], {
    cwd: root,
    env: await ownEnvironment(join(folder.path, 'data')),
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number | null]
  expect(status, output).toBe(0)
  if (block.includes('simulator:serve')) expect(output).toMatch(/ 0 lost, 0 duplicated/)
  if (block.includes('report.json')) {
    expect(existsSync(report)).toBe(true)
    expect(JSON.parse(readFileSync(report, 'utf8'))).toMatchObject({ ok: true, lost: 0, seed: 1 })
  }
})
