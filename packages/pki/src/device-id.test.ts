import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isDeviceId, parseDeviceId } from './device-id.ts'
import { refusalOf } from './testing/refusal.ts'

describe('a device id', () => {
  it.each(['a', 'Z', '0', 'pump-7', 'a.b_c-D', '0.1.2', 'a..b', 'a'.repeat(64)])('may be %j', (text) => {
    expect(parseDeviceId(text)).toBe(text)
    expect(isDeviceId(text)).toBe(true)
  })

  it.each([
    ['', 'device id: must not be empty'],
    ['.', 'device id: must begin with a letter or a digit'],
    ['..', 'device id: must begin with a letter or a digit'],
    ['-a', 'device id: must begin with a letter or a digit'],
    ['_a', 'device id: must begin with a letter or a digit'],
    ['a'.repeat(65), 'device id: has 65 characters, at most 64 are allowed'],
    ['dev\0', 'device id: must not contain U+0000; use A-Z a-z 0-9 . _ -'],
    ['dev\n', 'device id: must not contain U+000A; use A-Z a-z 0-9 . _ -'],
    ['dev\r\n', 'device id: must not contain U+000D; use A-Z a-z 0-9 . _ -'],
    ['a/b', 'device id: must not contain "/" (U+002F); use A-Z a-z 0-9 . _ -'],
    ['a+b', 'device id: must not contain "+" (U+002B); use A-Z a-z 0-9 . _ -'],
    ['#', 'device id: must not contain "#" (U+0023); use A-Z a-z 0-9 . _ -'],
    ['$SYS', 'device id: must not contain "$" (U+0024); use A-Z a-z 0-9 . _ -'],
    ['a b', 'device id: must not contain U+0020; use A-Z a-z 0-9 . _ -'],
    ['dеv', 'device id: must not contain U+0435; use A-Z a-z 0-9 . _ -'], // the second letter is Cyrillic
    ['dev\u202e', 'device id: must not contain U+202E; use A-Z a-z 0-9 . _ -'],
    ['😀', 'device id: must not contain U+1F600; use A-Z a-z 0-9 . _ -'],
  ])('may not be %j', (text, message) => {
    expect(isDeviceId(text)).toBe(false)
    expect(refusalOf(() => parseDeviceId(text))).toEqual({ code: 'device-id-invalid', message })
  })

  it.each([[undefined], [null], [7], [['a']], [{}]])('is a string, not %j', (value) => {
    expect(isDeviceId(value as unknown as string)).toBe(false)
    expect(refusalOf(() => parseDeviceId(value as unknown as string)).code).toBe('device-id-invalid')
  })

  it('means nothing in a topic, a name or a URL, whatever the text was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 70 }), (text) => {
        if (!isDeviceId(text)) return
        expect(text).not.toMatch(/[/+#$,=<>\s\p{C}]/u)
        expect(encodeURIComponent(text)).toBe(text)
      }),
    )
  })
})
