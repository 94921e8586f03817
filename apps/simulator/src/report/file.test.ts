import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createCensus } from '../accounting/census.ts'
import { checkReportFile, writeReport } from './file.ts'
import { buildReport } from './report.ts'
import { versions } from './versions.ts'

let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'report-'))
})
afterEach(() => rm(folder, { recursive: true }))

test('a report is written as a whole, with nothing left beside it, and read back as JSON', async () => {
  const file = await checkReportFile(join(folder, 'report.json'))
  const report = buildReport(createCensus(2), {
    run: 'r1',
    startedAt: new Date(0).toISOString(),
    seed: 1,
    durationMs: 1,
    endedBy: 'duration',
    keyAlgorithm: 'P-256',
    messagesPerSecond: 1,
    versions,
  })
  await writeReport(file, report)
  await writeReport(file, report)
  expect(JSON.parse(await readFile(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(report)))
  expect(await readdir(folder)).toEqual(['report.json'])
})

test('a report that could not be written is refused before the run and not after it', async () => {
  await expect(checkReportFile(join(folder, 'no/report.json'))).rejects.toMatchObject({
    code: 'report-unwritable',
    message: expect.stringContaining('there is no directory'),
  })
  await expect(checkReportFile(folder)).rejects.toMatchObject({
    message: expect.stringContaining('it is a directory'),
  })
})
