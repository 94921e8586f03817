import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { shellBlocks } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from './fleet.ts'
import { judgedBy } from './judged-by.ts'
import { run } from './run.ts'

// The commands that the documents show for curl, openssl and mosquitto, run as they stand there, one after the
// other in one shell; only the data directory and the ports are those of this test.

const root = join(import.meta.dirname, '../../..')

const documents: [path: string, foreign: RegExp][] = [
  ['README.md', /\b(curl|openssl|mosquitto_pub)\b/],
  ['docs/vectors/README.md', /^/],
  ['docs/firmware.md', /^/],
  // The last one: it replaces the CA of devices.
  ['docs/enrollment.md', /^/],
]

judgedBy(
  ['curl', 'openssl', 'mosquitto_pub', 'cc', 'make', 'libc', 'mbedtls'],
  'the documented commands',
  () => {
    let fleet: Fleet
    beforeAll(async () => {
      fleet = await startFleet({ broker: true })
    })
    afterAll(() => fleet[Symbol.asyncDispose]())

    test.each(documents)('of %s work', async (path, foreign) => {
      const folder = fleet.file(path.replaceAll('/', '-'))
      mkdirSync(folder)
      const blocks = shellBlocks(path).filter((block) => foreign.test(block))
      expect(blocks.length).toBeGreaterThan(1)
      const script = blocks
        .join('\n')
        .replaceAll('REPO=.\n', `REPO=${root}\n`)
        .replaceAll('DATA=.fleetroot', `DATA=${fleet.data}`)
        .replaceAll('localhost:8443', `localhost:${fleet.enrollment.port}`)
        .replaceAll('localhost:8883', `localhost:${fleet.broker.port}`)
        .replaceAll('-p 8883', `-p ${fleet.broker.port}`)
        .replaceAll('pump-7', path === 'README.md' ? 'pump-7' : 'pump-8')
      const { status, text } = await run('bash', ['-euo', 'pipefail'], { input: script, cwd: folder })
      expect(status, text).toBe(0)
      expect(text).not.toMatch(/"code":|^[a-z]+(?:-[a-z]+)+: /m)
    })
  },
)
