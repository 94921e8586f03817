import { expect, test } from 'vitest'
import { files, read } from './repository.ts'

// An entry point that nobody imports is a promise that nobody keeps; one that is missing breaks at the first import.

const manifests = files('package.json')
  .filter((path) => path !== 'package.json')
  .flatMap((path) => {
    const { name, exports } = JSON.parse(read(path) ?? '{}') as { name: string; exports?: string }
    return exports === undefined ? [] : [{ path, name, exports }]
  })
const sources = files('.ts')

test.each(manifests)('$path exports a file that another project imports', ({ path, name, exports }) => {
  const folder = path.replace(/package\.json$/, '')
  expect(read(folder + exports.replace('./', ''))).toBeDefined()
  const isImported = (source: string): boolean => (read(source) ?? '').includes(` from '${name}'`)
  expect(sources.some((source) => !source.startsWith(folder) && isImported(source))).toBe(true)
})
