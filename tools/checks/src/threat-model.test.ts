import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { files, read, root } from './repository.ts'

// The threat model names the test for every promise; a test that was renamed or removed would leave a promise alone.
// A path in a table may begin with a letter that its section explains: `B/` stands for `apps/broker/src/`. A name in quotes
// is the title of a test or of a group, in the file that stands before it in the same cell, or else in one of the section.
// In a name, … stands for what a title leaves open (`%s`, `$field`), or for a part that was left out.

const text = read('docs/threat-model.md') ?? ''
const sections = text.split(/^## /m).slice(1).map(readSection)

/** A cell that names tests: what of it, in order, is a path (in backticks) or a title (in quotes). */
type Mark = { readonly path: string } | { readonly title: string }

function readSection(section: string) {
  const heading = section.split('\n', 1)[0] ?? ''
  const prose = section.replaceAll(/^\|.*$/gm, '').replaceAll(/\s+/g, ' ')
  const short = new Map(
    [...prose.matchAll(/`(\w\/)` (?:stands )?for `([^`]+\/)`/g)].map(([, from = '', to = '']) => [from, to]),
  )
  const whole = (path: string): string => path.replace(/^\w\//, (letter) => short.get(letter) ?? letter)
  const rows = section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
  const cells = rows.map((row) => row.split('|').at(-2) ?? '').map((cell) => marksOf(cell, whole))
  return { heading, short, cells }
}

function marksOf(cell: string, whole: (path: string) => string): Mark[] {
  return [...cell.matchAll(/`([^`\s]+\.ts)`|"([^"]+)"/g)].map(([, path, title = '']) =>
    path === undefined ? { title } : { path: whole(path) },
  )
}

const pathsOf = (marks: readonly Mark[]): string[] =>
  marks.flatMap((mark) => ('path' in mark ? [mark.path] : []))

/** Every title of a test or a group: the text that a call begins with. */
function titlesOf(path: string): string[] {
  const calls = /\(\s*(?:'((?:\\.|[^'\\\n])+)'|"((?:\\.|[^"\\\n])+)"|`((?:\\.|[^`\\])+)`),/g
  return [...(read(path) ?? '').matchAll(calls)].map((call) =>
    (call[1] ?? call[2] ?? call[3] ?? '').replaceAll(/\\(.)/g, '$1'),
  )
}

const pattern = (words: string, open: RegExp): RegExp =>
  new RegExp(
    `^${words
      .split(open)
      .map((part) => RegExp.escape(part))
      .join('.+')}$`,
  )

const filledIn = /%\w|\$\{[^}]*\}|\$\w[\w.]*/

/** A title that is filled in for the most part, such as `%s`, would be anybody's. */
const isTelling = (title: string): boolean => title.split(filledIn).join('').length >= 12

const isTitle = (name: string, title: string): boolean =>
  pattern(name, /…/).test(title) || (isTelling(title) && pattern(title, filledIn).test(name))

/** Names of tests that are in none of the files in which they should be. */
function unknownIn(marks: readonly Mark[], ofSection: readonly string[]): string[] {
  let candidates = ofSection
  const unknown: string[] = []
  for (const mark of marks) {
    if ('path' in mark) candidates = [mark.path]
    else if (!candidates.flatMap(titlesOf).some((title) => isTitle(mark.title, title)))
      unknown.push(mark.title)
  }
  return unknown
}

test.each(sections)('the files that name the tests of “$heading” exist', ({ short, cells }) => {
  const paths = [...short.values(), ...cells.flatMap(pathsOf)]
  expect(paths).not.toEqual([])
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
})

test.each(sections)('the tests that “$heading” names exist under these names', ({ cells }) => {
  const ofSection = cells.flatMap(pathsOf)
  expect(cells.flatMap((marks) => unknownIn(marks, ofSection))).toEqual([])
})

test.each(sections)('every row of “$heading” names a test', ({ cells }) => {
  expect(cells.length).toBeGreaterThan(0)
  expect(cells.filter((marks) => marks.length === 0)).toEqual([])
})

test.each(files('.md'))('the paths that %s names exist', (document) => {
  const prose = (read(document) ?? '').replaceAll(/^```[^]*?^```/gm, '')
  const paths = [...prose.matchAll(/`((?:\.ci|apps|docs|packages|tools)\/[\w./-]+)`/g)].map(
    ([, path = '']) => path,
  )
  expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([])
})
