import type { Random } from '../random/random.ts'
import { type Sensor, quantize } from './sensor.ts'

/**
 * Vibration velocity in mm/s RMS of a bearing that wears: the level drifts up, shocks decay over a few
 * readings, and past 7.1 (the zone D of ISO 10816 for small machines) the bearing is replaced.
 */
export function vibrationSensor(random: Random): Sensor {
  const healthy = random.between(0.6, 1.4)
  let wear = random.between(0, 2)
  let shock = 0
  return {
    name: 'vibrationMmPerS',
    read() {
      wear += random.exponential(0.002)
      shock = random.next() < 0.01 ? random.between(1, 4) : shock * 0.6
      if (healthy + wear > 7.1) wear = 0
      return quantize(Math.max(0, healthy + wear + shock + 0.05 * random.normal()), 3)
    },
  }
}
