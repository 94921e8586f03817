import { setTimeout as delay } from 'node:timers/promises'
import type { Census } from '../accounting/census.ts'
import type { Agenda, Clock } from '../schedule/agenda.ts'
import { countdown } from '../schedule/countdown.ts'
import type { FleetDevice } from './device.ts'
import type { Life } from './life.ts'

/** A fleet on its way. The promises resolve when every device has passed that step or failed in it. */
export interface Fleet {
  readonly enrolled: Promise<void>
  readonly connected: Promise<void>
  /** Devices that are enrolling or connecting at this moment. */
  readonly underWay: number
}

/**
 * Sends the devices off, each at its time in `arrivals` (milliseconds after `startAt`), whatever became of
 * those before it.
 */
export function sendOff(options: {
  devices: readonly FleetDevice[]
  arrivals: readonly number[]
  startAt: number
  agenda: Agenda
  clock: Clock
  life: Life
}): Fleet {
  const { devices, arrivals, startAt, agenda, clock, life } = options
  const enrolled = countdown(devices.length)
  const connected = countdown(devices.length)
  let underWay = 0

  async function live(device: FleetDevice, dueAt: number): Promise<void> {
    underWay++
    const hadIdentity = device.identity !== undefined
    const hasIdentity = await life.enroll(device, dueAt)
    enrolled.step()
    // A new device wants to connect from the moment in which it has its certificate.
    if (hasIdentity) await life.connect(device, hadIdentity ? dueAt : clock.now())
    connected.step()
    underWay--
  }

  devices.forEach((device, index) => {
    const dueAt = startAt + (arrivals[index] ?? 0)
    agenda.at(dueAt, () => void live(device, dueAt))
  })
  return {
    enrolled: enrolled.done,
    connected: connected.done,
    get underWay() {
      return underWay
    },
  }
}

/**
 * Waits until no device is under way, every message is acknowledged and delivered and every command
 * answered, at most `withinMs` milliseconds. Repeats open commands once a second. While the broker `isGone`,
 * only what was acknowledged is worth waiting for: it may come back with it.
 */
export async function settle(options: {
  fleet: Fleet
  census: Census
  clock: Clock
  withinMs: number
  isGone: () => boolean
  repeatCommands: () => void
}): Promise<void> {
  const { fleet, census, clock, withinMs, isGone, repeatCommands } = options
  const deadline = clock.now() + withinMs
  let repeatAt = clock.now() + 1_000
  const isSettled = (): boolean =>
    fleet.underWay === 0 && census.ledger.unsettled === 0 && census.commands.answered === census.commands.sent

  const isHopeless = (): boolean =>
    fleet.underWay === 0 && census.ledger.counts().undelivered === 0 && isGone()

  while (!isSettled() && !isHopeless() && clock.now() < deadline) {
    if (clock.now() >= repeatAt) {
      repeatCommands()
      repeatAt = clock.now() + 1_000
    }
    await delay(10)
  }
}
