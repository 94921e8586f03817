import { seededRandom } from '../random/random.ts'

/**
 * When each device arrives, in milliseconds after the start, in order. Arrivals are a Poisson process of
 * `perSecond` devices, drawn from the seed alone: an open loop, in which a slow server does not slow the
 * devices down and therefore cannot hide its slowness.
 */
export function arrivalSchedule(options: { seed: number; devices: number; perSecond: number }): number[] {
  const random = seededRandom(options.seed, 'arrivals')
  let at = 0
  return Array.from({ length: options.devices }, (_, index) => {
    if (index > 0) at += random.exponential(1_000 / options.perSecond)
    return at
  })
}

/**
 * The offset, in milliseconds within `intervalMs`, at which a device publishes. Devices of a fleet are not
 * in step: without this all of them would publish in the same millisecond.
 */
export function publishOffset(options: { seed: number; deviceId: string; intervalMs: number }): number {
  return seededRandom(options.seed, 'publish', options.deviceId).next() * options.intervalMs
}

/** The first publishing time after `now` on the grid of `offset + k * intervalMs` (all in milliseconds). */
export function nextSlot(options: { offset: number; intervalMs: number; now: number }): number {
  const elapsed = Math.floor((options.now - options.offset) / options.intervalMs)
  return options.offset + (elapsed + 1) * options.intervalMs
}
