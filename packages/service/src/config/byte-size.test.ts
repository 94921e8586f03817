import { describe, expect, it } from 'vitest'
import { parseByteSize } from './byte-size.ts'

describe('parseByteSize', () => {
  it.each([
    ['512B', 512],
    ['64kB', 64_000],
    ['64KB', 64_000],
    ['128KiB', 131_072],
    ['128 KiB', 131_072],
    ['1.5MiB', 1_572_864],
    ['1GB', 1_000_000_000],
    ['0', 0],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes)
  })

  it.each([
    ['4096', 'has no unit; write 4096B for bytes or 4096KiB'],
    ['big', 'is not a size; write a number with a unit, such as 512B, 128KiB'],
    ['-1KiB', 'is not a size'],
    ['1TiB', 'is not a size'],
    ['0.3B', 'is not a whole number of bytes'],
  ])('refuses %j with a hint', (text, message) => {
    expect(() => parseByteSize(text)).toThrow(
      expect.objectContaining({ code: 'byte-size-invalid', message: expect.stringContaining(message) }),
    )
  })
})
