import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { errorCodes, exitStatus } from './error.ts'

const page = readFileSync(join(import.meta.dirname, '../../../docs/fleetctl.md'), 'utf8')

test('docs/fleetctl.md lists every exit status and no other', () => {
  const listed = [...page.matchAll(/^\| (\d+) +\|/gm)].map((match) => Number(match[1]))
  expect(listed).toEqual(Object.values(exitStatus))
})

test('docs/fleetctl.md lists every code of fleetctl’s own', () => {
  const [, sentence = ''] = /one of fleetctl's own:([^.]*)\./.exec(page) ?? []
  const listed = [...sentence.matchAll(/`([\w-]+)`/g)].map((match) => match[1])
  expect(new Set(listed)).toEqual(new Set([...errorCodes, 'failed']))
})
