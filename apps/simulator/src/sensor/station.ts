import { type Random, seededRandom } from '../random/random.ts'
import { batterySensor } from './battery.ts'
import { energySensor, mainsSensor } from './energy.ts'
import { humiditySensor } from './humidity.ts'
import type { Sensor } from './sensor.ts'
import { temperatureSensor } from './temperature.ts'
import { vibrationSensor } from './vibration.ts'

/** What a device is: the set of sensors it carries, and the last segment of its telemetry topic. */
export type StationKind = 'climate' | 'machine' | 'meter'

/** Reading by sensor name. */
export type Readings = Record<string, number>

/** The sensors of one device. */
export interface Station {
  readonly kind: StationKind
  /** One reading of every sensor; each call continues from the one before. */
  read(): Readings
}

const kinds: Record<StationKind, (random: Random) => Sensor[]> = {
  climate: (random) => [temperatureSensor(random), humiditySensor(random), batterySensor(random)],
  machine: (random) => [vibrationSensor(random), temperatureSensor(random, 'bearingC')],
  meter: (random) => [energySensor(random), mainsSensor(random)],
}

/** The station of device `deviceId` in a run with `seed`: the same two always give the same readings. */
export function createStation(seed: number, deviceId: string): Station {
  const random = seededRandom(seed, 'sensor', deviceId)
  const names = Object.keys(kinds) as StationKind[]
  const kind = names[Math.floor(random.next() * names.length)] ?? 'climate'
  const sensors = kinds[kind](random)
  return {
    kind,
    read: () => Object.fromEntries(sensors.map((sensor) => [sensor.name, sensor.read()])),
  }
}
