import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { files, read, root } from './repository.ts'

const documents = files('.md')

test.each(documents)('the relative links of %s lead somewhere', (path) => {
  const links = [...(read(path) ?? '').matchAll(/\]\((?!https?:|mailto:|#)([^)#\s]+)[^)]*\)/g)].map(
    (m) => m[1] ?? '',
  )
  expect(links.filter((link) => !existsSync(join(root, dirname(path), link)))).toEqual([])
})

test('decision records are numbered without gaps and dated', () => {
  const records = documents.filter((path) => path.startsWith('docs/decisions/0')).toSorted()
  expect(records.length).toBeGreaterThan(0)
  expect(records.map((path) => Number(/\/(\d{4})-/.exec(path)?.[1]))).toEqual(records.map((_, i) => i + 1))
  expect(records.filter((path) => !/\b20\d\d-\d\d-\d\d\b/.test(read(path) ?? ''))).toEqual([])
})
