import { expect, test } from 'vitest'
import { files, read } from './repository.ts'

// An entry point that nobody imports is a promise that nobody keeps; one that is missing breaks at the first import.

type Exports = string | Readonly<Record<string, string>>

const entries = files('package.json')
  .filter((path) => path !== 'package.json')
  .flatMap((path) => {
    const { name, exports } = JSON.parse(read(path) ?? '{}') as { name: string; exports?: Exports }
    const targets = typeof exports === 'string' ? { '.': exports } : (exports ?? {})
    return Object.entries(targets).map(([entry, target]) => ({
      path,
      specifier: name + entry.slice(1),
      target,
    }))
  })
const sources = files('.ts')

test.each(entries)('$specifier is a file that another project imports', ({ path, specifier, target }) => {
  const folder = path.replace(/package\.json$/, '')
  expect(read(folder + target.replace('./', ''))).toBeDefined()
  const isImported = (source: string): boolean => (read(source) ?? '').includes(` from '${specifier}'`)
  expect(sources.some((source) => !source.startsWith(folder) && isImported(source))).toBe(true)
})
