/** One quantity that a device measures. It has a state: each reading continues from the one before. */
export interface Sensor {
  /** Key of the reading in the payload, unit included: `temperatureC`, `batteryPercent`. */
  readonly name: string
  /** The next reading, rounded to the sensor's resolution. */
  read(): number
}

/** `value` at a resolution of 10^-digits: what an analogue-to-digital converter would have reported. */
export function quantize(value: number, digits: number): number {
  // toFixed and not a division: 21.3 must not become 21.300000000000001 in the payload.
  return Number(value.toFixed(digits))
}
