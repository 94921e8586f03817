import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { shellBlocks } from '@fleetroot/harness'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Fleet, startFleet } from './fleet.ts'
import { judgedBy } from './judged-by.ts'
import { run } from './run.ts'

// The commands that the documents show for curl, openssl and mosquitto, run as they stand there, one after the
// other in one shell; only the data directory and the ports are those of this test.

const root = join(import.meta.dirname, '../../..')

const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const documents: [path: string, foreign: RegExp][] = [
  ['README.md', /\b(curl|openssl|mosquitto_pub)\b/],
  ['docs/vectors/README.md', /^/],
  ['docs/firmware.md', /^/],
  // The last one: it replaces the CA of devices.
  ['docs/enrollment.md', /^/],
]

/** What docs/firmware.md says was measured is what its commands print, within a tenth: signatures and libraries differ a little. */
function expectFigures(text: string): void {
  const rows = [...read('docs/firmware.md').matchAll(/^\| (\w+) +\| (\d+) +\| (\d+) +\| ([\d,]+) +\|/gm)]
  const octets = [
    ...text.matchAll(/^(enrolled board-3|session|staged board-3).*\(sent (\d+), received (\d+)/gm),
  ].slice(-3)
  const heap = [...text.matchAll(/^heap: (\d+) octets at most, 0 at the end$/gm)]
  expect(rows.map(([, step]) => step)).toEqual(['enroll', 'publish', 'renew'])
  const printed = octets.map(([, , sent, received], i) => [sent, received, heap[i]?.[1]].map(Number))
  for (const [i, [, , ...figures]] of rows.entries()) {
    const written = figures.map((figure) => Number(figure.replace(',', '')))
    for (const [j, figure] of written.entries()) {
      expect(
        Math.abs((printed[i]?.[j] ?? 0) / figure - 1),
        `${rows[i]?.[1]}: ${printed[i]?.[j]}`,
      ).toBeLessThan(0.1)
    }
  }
}

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
      if (path === 'docs/firmware.md') expectFigures(text)
    })
  },
)
