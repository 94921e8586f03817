import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { problemKinds } from './codes.ts'
import { refusalOf } from './from-error.ts'

const documentation = readFileSync(join(import.meta.dirname, '../../../../docs/enrollment.md'), 'utf8')

describe('the list of codes in docs/enrollment.md', () => {
  it('is the list of the code: same codes, statuses, causes and fixes, in the same order', () => {
    const rows = [...documentation.matchAll(/^\| `([a-z-]+)` *\| (\d{3}) *\| (.+?) +\| (.+?) +\|$/gm)]
    expect(
      rows.map(([, code, status, title, fix]) => ({ code, status: Number(status), title, fix })),
    ).toEqual(Object.entries(problemKinds).map(([code, kind]) => ({ code, ...kind })))
  })

  it('explains every code in two sentences', () => {
    for (const { title, fix } of Object.values(problemKinds)) {
      for (const sentence of [title, fix]) expect(sentence).toMatch(/^[A-Z].*\.$/)
    }
  })
})

describe('an error that nobody foresaw', () => {
  it('says nothing about itself', () => {
    expect(refusalOf(new Error('secret path /etc/shadow'))).toEqual({
      code: 'internal',
      detail: 'the server failed; nothing was issued',
    })
  })
})
