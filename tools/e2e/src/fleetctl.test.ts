import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { shellBlocks, startApp, temporaryFolder, writeCaKeys } from '@fleetroot/harness'
import { expect, test } from 'vitest'
import { ownEnvironment } from './environment.ts'

// The commands of fleetctl that the documents show, as they stand there, against a server of their own.

const root = join(import.meta.dirname, '../../..')
const launcher = join(root, 'tools/fleetctl/bin/fleetctl.js')

/** Runs a script in bash, which stops at the first command that fails. */
async function bash(script: string, cwd: string, env: Record<string, string>) {
  const child = spawn('bash', ['-euo', 'pipefail'], { cwd, env })
  child.stdin.end(script)
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()))
  const [status] = (await once(child, 'close')) as [number | null]
  return { status, output }
}

test.each([
  // As whoever cloned the repository starts it, in its root; and as its own page says, where files may be left.
  ['README.md', /^npx fleetctl/, root],
  ['docs/fleetctl.md', /^npx fleetctl/, root],
  ['docs/fleetctl.md', /^(?!npx)/, undefined],
])(
  'the commands of %s work: %s',
  async (document, wanted, place) => {
    using folder = temporaryFolder()
    const blocks = shellBlocks(document).filter((block) => wanted.test(block))
    expect(blocks.length).toBeGreaterThan(0)
    const env = await ownEnvironment(join(folder.path, 'data'))
    writeCaKeys(join(folder.path, 'data'))
    const server = startApp('enrollment-server', [], env)
    try {
      await server.ready()
      const cwd = place ?? join(folder.path, 'work')
      mkdirSync(cwd, { recursive: true })
      const stand = place ? '' : `fleetctl() { "${process.execPath}" "${launcher}" "$@"; }\n`
      const { status, output } = await bash(stand + blocks.join('\n'), cwd, env)
      expect(status, output).toBe(0)
    } finally {
      await server.stop()
    }
  },
  600_000,
)

test('the completion script completes words, flags and values in bash', async () => {
  const complete = async (...words: string[]): Promise<string[]> => {
    const script = `
      source <("${process.execPath}" "${launcher}" completion bash)
      COMP_WORDS=(fleetctl ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}
      _fleetctl; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { status, output } = await bash(script, root, { PATH: process.env['PATH'] ?? '' })
    expect(status, output).toBe(0)
    return output.trim().split('\n')
  }
  expect(await complete('dev')).toEqual(['device'])
  expect(await complete('ca', 'rotate', '')).toEqual(expect.arrayContaining(['issuing', 'root']))
  expect(await complete('--json', 'device', 'sus')).toEqual(['suspend'])
  expect(await complete('cert', 'revoke', '--reason', 'key')).toEqual(['keyCompromise'])
  expect(await complete('device', 'list', '--sta')).toEqual(['--state'])
  expect(await complete('--data', 'device', 'policy', 'explain', 'sub')).toEqual(['subscribe'])
  expect(await complete('policy', 'check', 'READ')).toEqual(['README.md'])
})
