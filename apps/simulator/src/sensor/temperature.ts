import type { Random } from '../random/random.ts'
import { type Sensor, quantize } from './sensor.ts'

/**
 * Temperature in °C: a random walk that is pulled back to its set point (Ornstein-Uhlenbeck), the way a
 * room behind a thermostat behaves.
 */
export function temperatureSensor(random: Random, name = 'temperatureC'): Sensor {
  const setPoint = random.between(18, 24)
  let value = setPoint + random.normal()
  return {
    name,
    read() {
      value += 0.05 * (setPoint - value) + 0.15 * random.normal()
      return quantize(value, 2)
    },
  }
}
