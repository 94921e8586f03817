import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { problemKinds } from './codes.ts'
import { enrollmentCodes } from './enrollment-codes.ts'

const documentation = readFileSync(join(import.meta.dirname, '../../../../docs/firmware.md'), 'utf8')

/** What EST can answer besides: to a renewal, to a label, and to any request. */
const others =
  `subject-mismatch renewals-limited profile-mismatch certificate-required path-unknown method-not-allowed
  request-malformed request-timeout header-too-large body-too-large content-type-unsupported rate-limited
  registry-unavailable internal`.split(/\s+/)

it('docs/firmware.md says what a device does on every code that EST can answer with, under its status', () => {
  const rows = [...documentation.matchAll(/^\| (\d{3}) +\| (`[a-z].*?`) +\| /gm)]
  const listed = rows.flatMap(([, status, codes = '']) =>
    [...codes.matchAll(/`([a-z-]+)`/g)].map(([, code = '']) => [code, Number(status)] as const),
  )
  const all = [...enrollmentCodes, ...others] as (keyof typeof problemKinds)[]
  const byCode = (entries: (readonly [string, number])[]) =>
    entries.toSorted(([one], [other]) => (one < other ? -1 : 1))
  expect(byCode(listed)).toEqual(byCode(all.map((code) => [code, problemKinds[code].status] as const)))
})
