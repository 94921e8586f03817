import { describe, expect, test } from 'vitest'
import { createFailureList, describeThrown } from './failures.ts'

describe('createFailureList', () => {
  test('keeps the first failures in full and counts all of them', () => {
    const failures = createFailureList(2)
    for (let index = 0; index < 5; index++) {
      failures.add({
        device: `device-${index}`,
        phase: 'enroll',
        code: 'token-used',
        message: `number ${index}`,
      })
    }
    expect(failures.total).toBe(5)
    expect(failures.first().map((failure) => failure.device)).toEqual(['device-0', 'device-1'])
  })

  test('groups by code, most frequent first, with the first message of each', () => {
    const failures = createFailureList(1)
    failures.add({ phase: 'connect', code: 'refused', message: 'first refusal' })
    failures.add({ phase: 'enroll', code: 'token-used', message: 'first use' })
    failures.add({ phase: 'enroll', code: 'token-used', message: 'second use' })
    expect(failures.byCode()).toEqual([
      { code: 'token-used', count: 2, message: 'first use' },
      { code: 'refused', count: 1, message: 'first refusal' },
    ])
  })
})

describe('describeThrown', () => {
  test('takes the code of an error that has one', () => {
    const error = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
    expect(describeThrown(error)).toEqual({ code: 'ECONNREFUSED', message: 'connect ECONNREFUSED' })
  })

  test('says unknown for errors without a code and for what is no error', () => {
    expect(describeThrown(new Error('no'))).toEqual({ code: 'unknown', message: 'no' })
    expect(describeThrown('no')).toEqual({ code: 'unknown', message: 'no' })
  })
})
