import { builtinModules } from 'node:module'
import { expect, test } from 'vitest'
import { files, read } from './repository.ts'

// With hoisting, an undeclared import works here and breaks for whoever installs the package alone.

interface Manifest {
  name: string
  dependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}

const manifests = files('package.json').filter((path) => path !== 'package.json')
const shared = Object.keys((JSON.parse(read('package.json') ?? '{}') as Manifest).devDependencies ?? {})

/** `@scope/name/deep` and `name/deep` are both of the package before the deep part. */
const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/')

/** The packages that a file imports, type imports included. */
function importsOf(path: string): string[] {
  const source = read(path) ?? ''
  return [
    ...source.matchAll(
      /(?:^|\n)\s*(?:import|export)\b[^'"`;]*?from\s+'([^'.][^']*)'|(?:import|require)\('([^'.][^']*)'\)/g,
    ),
  ]
    .map((match) => match[1] ?? match[2] ?? '')
    .filter((name) => !name.startsWith('node:') && !builtinModules.includes(name))
    .map(packageOf)
}

test.each(manifests)('%s declares what its files import, and nothing else', (manifestPath) => {
  const folder = manifestPath.replace(/package\.json$/, '')
  const manifest = JSON.parse(read(manifestPath) ?? '{}') as Manifest
  const sources = files('.ts').filter((path) => path.startsWith(folder))
  const isTest = (path: string): boolean => /\.test\.ts$|\/testing\//.test(path)
  const imported = (wanted: boolean): string[] => [
    ...new Set(sources.filter((path) => isTest(path) === wanted).flatMap(importsOf)),
  ]
  const declared = Object.keys(manifest.dependencies ?? {})
  const forTests = Object.keys(manifest.devDependencies ?? {})
  const missing = [
    ...imported(false).filter((name) => ![...declared, ...shared].includes(name)),
    ...imported(true).filter((name) => ![...declared, ...forTests, ...shared].includes(name)),
  ]
  expect(missing.filter((name) => name !== manifest.name)).toEqual([])
  const used = [...imported(false), ...imported(true)]
  expect([...declared, ...forTests].filter((name) => !used.includes(name))).toEqual([])
})

// What tests make certificates with asks nobody for leave: no program that is shipped may come near it.
test('what is made for tests is imported by tests and by tools that test and measure', () => {
  const mayTest = /\.test\.ts$|\.fixture\.ts$|\/testing\/|^tools\/(bench|checks|e2e|harness|interop)\//
  const offenders = files('.ts')
    .filter((path) => !mayTest.test(path))
    .filter((path) => /from '(?:@fleetroot\/[\w-]+|\.[^']*)\/testing(?:\/[^']*)?'/.test(read(path) ?? ''))
  expect(offenders).toEqual([])
})
