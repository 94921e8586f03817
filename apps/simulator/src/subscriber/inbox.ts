import type { Census } from '../accounting/census.ts'
import { decodeTelemetry } from '../telemetry/message.ts'
import { readTopic } from '../telemetry/topic.ts'
import type { Commander } from './commander.ts'

/** A message as it reaches the subscriber. */
export interface Arrived {
  readonly topic: string
  readonly payload: Uint8Array
}

/**
 * What the subscriber does with each message: telemetry of this run is settled in the ledger, results go to
 * the commander, everything else (other fleets, other devices) is ignored. `now` is the run's clock, in
 * milliseconds.
 */
export function createInbox(options: {
  run: string
  census: Census
  commander: Commander
  now: () => number
}): (message: Arrived) => void {
  const { run, census, commander, now } = options

  return ({ topic, payload }) => {
    const about = readTopic(topic)
    if (about === undefined || about.kind === 'command') return
    if (about.kind === 'result') return commander.answer(about.device, about.command, payload)

    const telemetry = decodeTelemetry(payload)
    if (telemetry === undefined || telemetry.run !== run) return
    // The broker binds the topic to the certificate; the payload is only what the device says of itself.
    const arrival =
      telemetry.id === about.device
        ? census.ledger.delivered(about.device, telemetry.seq)
        : { kind: 'unknown' as const }
    if (arrival.kind === 'first') census.delivery.record(now() - arrival.dueAt)
    if (arrival.kind !== 'unknown') return
    census.unexpected++
    census.failures.add({
      device: about.device,
      phase: 'deliver',
      code: 'message-unexpected',
      message: `number ${telemetry.seq} of ${telemetry.id} arrived on ${topic}, but was not published there`,
    })
  }
}
