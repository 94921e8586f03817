import type { Random } from '../random/random.ts'
import { type Sensor, quantize } from './sensor.ts'

/** State of charge in percent: falls with every reading, and charges again from 10 % up to full. */
export function batterySensor(random: Random): Sensor {
  let charge = random.between(40, 100)
  let charging = false
  return {
    name: 'batteryPercent',
    read() {
      charge += charging ? random.between(0.5, 1.5) : -random.between(0.005, 0.02)
      if (charge <= 10) charging = true
      if (charge >= 100) charging = false
      charge = Math.min(100, Math.max(0, charge))
      return quantize(charge, 2)
    },
  }
}
