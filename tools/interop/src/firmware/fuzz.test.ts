import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { randomInt } from 'node:crypto'
import { temporaryFolder } from '@fleetroot/harness'
import { encodeCertsOnly } from '@fleetroot/pki'
import { makeHierarchy } from '@fleetroot/pki/testing'
import { expect, test } from 'vitest'
import { judgedBy } from '../judged-by.ts'
import { run, succeed } from '../run.ts'
import { firmwareSource } from './build.ts'

judgedBy(['cc', 'make', 'libc', 'mbedtls'], 'the parsers of the firmware in C', () => {
  test('read no octet that is not theirs, whatever an answer is', async () => {
    using folder = temporaryFolder()
    const file = (name: string): string => join(folder.path, name)
    const { root, devices, services } = await makeHierarchy()
    const cas = encodeCertsOnly([root, devices, services].map(({ certificate }) => certificate))
    const body = cas.toString('base64')
    const chunks = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
    const date = 'Date: Sun, 06 Nov 1994 08:49:37 GMT'
    const head = `HTTP/1.1 200 OK\r\n${date}\r\nRetry-After: 5\r\nTransfer-Encoding: chunked\r\n\r\n`
    writeFileSync(file('answer'), head + chunks)
    const parsers = join(import.meta.dirname, 'parsers.c')
    await succeed('make', ['-C', firmwareSource, `OUT=${folder.path}`, 'parsers', `PARSERS=${parsers}`])
    const seed = String(process.env['FUZZ_SEED'] ?? randomInt(2 ** 40))
    const { status, text, stdout } = await run(file('parsers'), [file('answer'), seed, '20000'])
    // What they refuse they say on stderr, in thousands of lines; a sanitizer speaks last.
    expect(status, `seed ${seed}: ${text.slice(-4000)}`).toBe(0)
    expect(stdout.toString()).toMatch(
      /^seed \d+: [1-9]\d* answers and [1-9]\d* PKCS#7 messages were taken\n$/,
    )
  })
})
