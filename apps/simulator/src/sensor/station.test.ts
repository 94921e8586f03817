import { describe, expect, test } from 'vitest'
import { seededRandom } from '../random/random.ts'
import { batterySensor } from './battery.ts'
import { energySensor, mainsSensor } from './energy.ts'
import { humiditySensor } from './humidity.ts'
import type { Sensor } from './sensor.ts'
import { createStation } from './station.ts'
import { temperatureSensor } from './temperature.ts'
import { vibrationSensor } from './vibration.ts'

const readings = (sensor: Sensor, count = 50_000) => Array.from({ length: count }, () => sensor.read())
const random = (name: string) => seededRandom(3, name)

describe('createStation', () => {
  test('gives the same readings for the same seed and device, whatever other devices do', () => {
    const alone = createStation(1, 'device-0001')
    const first = Array.from({ length: 100 }, () => alone.read())
    const beside = createStation(1, 'device-0001')
    const neighbour = createStation(1, 'device-0002')
    const second = Array.from({ length: 100 }, () => {
      neighbour.read()
      return beside.read()
    })
    expect(second).toEqual(first)
  })

  test('gives other readings for another seed and for another device', () => {
    const read = (seed: number, id: string) => JSON.stringify(createStation(seed, id).read())
    expect(read(2, 'device-0001')).not.toBe(read(1, 'device-0001'))
    expect(read(1, 'device-0002')).not.toBe(read(1, 'device-0001'))
  })

  test('builds every kind of station in a fleet of fifty', () => {
    const kinds = Array.from({ length: 50 }, (_, index) => createStation(1, `device-${index}`).kind)
    expect(new Set(kinds)).toEqual(new Set(['climate', 'machine', 'meter']))
  })

  test('is pinned: a new release must not change what a seed means', () => {
    const station = createStation(1, 'device-0001')
    station.read()
    expect({ kind: station.kind, readings: station.read() }).toMatchInlineSnapshot(`
      {
        "kind": "machine",
        "readings": {
          "bearingC": 17.85,
          "vibrationMmPerS": 2.339,
        },
      }
    `)
  })
})

describe('the sensor models', () => {
  test('keep temperature near its set point, in steps that a room could make', () => {
    const values = readings(temperatureSensor(random('temperature')))
    expect(Math.min(...values)).toBeGreaterThan(10)
    expect(Math.max(...values)).toBeLessThan(32)
    expect(largestStep(values)).toBeLessThan(1)
  })

  test('keep humidity between 5 and 95 percent', () => {
    const values = readings(humiditySensor(random('humidity')))
    expect(Math.min(...values)).toBeGreaterThanOrEqual(5)
    expect(Math.max(...values)).toBeLessThanOrEqual(95)
  })

  test('discharge the battery slowly and charge it again before it is empty', () => {
    const values = readings(batterySensor(random('battery')))
    expect(Math.min(...values)).toBeGreaterThan(9)
    expect(Math.max(...values)).toBeLessThanOrEqual(100)
    expect(values.some((value, index) => value > (values[index - 1] ?? value))).toBe(true)
  })

  test('wear the bearing out and replace it', () => {
    const values = readings(vibrationSensor(random('vibration')))
    expect(Math.min(...values)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...values)).toBeGreaterThan(6)
    expect(Math.max(...values)).toBeLessThan(13)
  })

  test('never run the energy meter backwards', () => {
    const values = readings(energySensor(random('energy')))
    expect(values.every((value, index) => value >= (values[index - 1] ?? 0))).toBe(true)
  })

  test('keep mains voltage near 230 V, sags included', () => {
    const values = readings(mainsSensor(random('mains')))
    expect(Math.min(...values)).toBeGreaterThan(180)
    expect(Math.max(...values)).toBeLessThan(240)
  })
})

function largestStep(values: number[]): number {
  return Math.max(...values.map((value, index) => Math.abs(value - (values[index - 1] ?? value))))
}
