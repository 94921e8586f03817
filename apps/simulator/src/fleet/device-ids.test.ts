import { expect, test } from 'vitest'
import { deviceIds } from './device-ids.ts'

test('device ids count from 1, with at least four digits', () => {
  expect(deviceIds('device', 2)).toEqual(['device-0001', 'device-0002'])
  expect(deviceIds('pump.north', 10_000)[9_999]).toBe('pump.north-10000')
  expect(deviceIds('device', 10_000)[0]).toBe('device-00001')
})

test('the longest prefix that the settings take still makes device ids', () => {
  expect(deviceIds('p'.repeat(50), 100_000)).toHaveLength(100_000)
})
