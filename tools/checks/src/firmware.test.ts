import { expect, test } from 'vitest'
import { read } from './repository.ts'

// What docs/firmware.md says of the C example, beside the example.

const document = read('docs/firmware.md') ?? ''

test('the exit statuses of docs/firmware.md are those of the example in C, with the same words', () => {
  const rows = [...document.matchAll(/^\| (\d+) +\| `(FAILED_\w+)` +\| (.+?) +\|$/gm)]
  const header = read('examples/firmware-c/failure.h') ?? ''
  const constants = [...header.matchAll(/^ +(FAILED_\w+) = (\d+),? +\/\* (.+) \*\/$/gm)]
  expect(rows.length).toBeGreaterThan(10)
  expect(rows.map(([, status, name, why]) => [name, status, why])).toEqual(
    constants.map(([, name, status, why]) => [name, status, why]),
  )
})

test('the README of the example in C names each of its files', () => {
  const readme = read('examples/firmware-c/README.md') ?? ''
  const makefile = read('examples/firmware-c/Makefile') ?? ''
  const sources = [...(/^SOURCES = ([^]*?[^\\])\n/m.exec(makefile)?.[1] ?? '').matchAll(/\w+\.c/g)].map(
    String,
  )
  expect(sources.length).toBeGreaterThan(15)
  expect(sources.filter((file) => !readme.includes(`\`${file}\``))).toEqual([])
})
