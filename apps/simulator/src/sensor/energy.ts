import type { Random } from '../random/random.ts'
import { type Sensor, quantize } from './sensor.ts'

/** A meter's total in kWh: only ever grows, faster while a load is switched on. */
export function energySensor(random: Random): Sensor {
  let total = random.between(100, 9_000)
  let loaded = false
  return {
    name: 'energyKWh',
    read() {
      if (random.next() < 0.05) loaded = !loaded
      total += loaded ? random.between(0.001, 0.004) : random.between(0, 0.0003)
      return quantize(total, 4)
    },
  }
}

/** Mains voltage in V: noise around 230 with short sags. */
export function mainsSensor(random: Random): Sensor {
  let sag = 0
  return {
    name: 'mainsV',
    read() {
      sag = random.next() < 0.005 ? random.between(15, 40) : sag * 0.5
      return quantize(230 - sag + 0.8 * random.normal(), 1)
    },
  }
}
