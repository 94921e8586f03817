import type { Random } from '../random/random.ts'
import { type Sensor, quantize } from './sensor.ts'

/** Relative humidity in percent: a slow random walk that reflects at 5 and 95. */
export function humiditySensor(random: Random): Sensor {
  let value = random.between(30, 60)
  return {
    name: 'humidityPercent',
    read() {
      value += 0.4 * random.normal()
      if (value > 95) value = 190 - value
      if (value < 5) value = 10 - value
      return quantize(value, 1)
    },
  }
}
