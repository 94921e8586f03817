import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabase } from './open.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'fleetroot-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

test('of two that make one store at the same moment, one has it and the other finds it locked, never damaged', async () => {
  for (let round = 0; round < 200; round++) {
    const directory = join(folder, `store-${round}`)
    mkdirSync(directory)
    const first = openDatabase(directory)
    // The second arrives at another step of the first in each round.
    for (let turns = round % 20; turns > 0; turns--) await turn()
    const outcomes = await Promise.allSettled([first, openDatabase(directory)])
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.map(({ reason }) => (reason as { code: string }).code)).toEqual(['store-locked'])
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') await outcome.value.close()
  }
})

test('a store whose CURRENT is missing is damaged, not new', async () => {
  const directory = join(folder, 'damaged')
  await (await openDatabase(directory)).close()
  rmSync(join(directory, 'CURRENT'))
  await expect(openDatabase(directory)).rejects.toMatchObject({
    code: 'store-corrupt',
    message: expect.stringContaining('files are missing') as string,
  })
})
