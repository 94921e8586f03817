import { randomUUID } from 'node:crypto'
import type { DeviceId } from '@fleetroot/pki'
import type { Census } from '../accounting/census.ts'
import { describeThrown } from '../accounting/failures.ts'
import { countdown } from '../schedule/countdown.ts'
import { decodeResult, encodeCommand } from '../telemetry/message.ts'
import { commandTopic } from '../telemetry/topic.ts'

/** Who a device must turn out to be. */
export interface Expected {
  readonly id: DeviceId
  /** Serial number of the certificate that it was given. */
  readonly serial: string
}

/** Gives each device one command and checks the answer. */
export interface Commander {
  /**
   * Asks the device to identify itself; call it when the device is connected and subscribed. Asking again
   * repeats the same command until it is answered.
   */
  ask(expected: Expected): void
  /** The device may answer with this certificate as well from now on: it is being renewed. */
  expect(expected: Expected): void
  /** Asks again where there is no answer yet: a command may pass a device by that is just coming back. */
  repeat(): void
  /** Judges what came in on the result topic of `device`. */
  answer(device: DeviceId, command: string, payload: Uint8Array): void
  /** Commands without a right answer so far. */
  readonly unanswered: number
  /** Resolves when every device of the census has given its right answer. */
  readonly allAnswered: Promise<void>
}

/** The command that every device of the fleet knows. */
export const identify = 'identify'

/** A commander that publishes through `publish` and counts in `census`. */
export function createCommander(options: {
  census: Census
  publish: (topic: string, payload: string) => Promise<void>
}): Commander {
  const { census, publish } = options
  const open = new Map<DeviceId, { id: string; serials: Set<string> }>()
  const done = new Set<DeviceId>()
  const all = countdown(census.devices)

  const fail = (device: DeviceId, code: string, message: string): void =>
    census.failures.add({ device, phase: 'command', code, message })

  function send(device: DeviceId, question: string): void {
    publish(commandTopic(device, identify), encodeCommand(question)).catch((thrown: unknown) => {
      const { code, message } = describeThrown(thrown)
      fail(device, code, `the command could not be sent: ${message}`)
    })
  }

  return {
    ask({ id, serial }) {
      if (done.has(id)) return
      let question = open.get(id)
      if (question === undefined) {
        question = { id: randomUUID(), serials: new Set([serial]) }
        open.set(id, question)
        census.commands.sent++
      }
      send(id, question.id)
    },
    expect({ id, serial }) {
      open.get(id)?.serials.add(serial)
    },
    repeat() {
      for (const [device, question] of open) send(device, question.id)
    },
    answer(device, name, payload) {
      const question = open.get(device)
      const answer = decodeResult(payload)
      // Answers to anybody else's questions are none of our business.
      if (name !== identify || question === undefined || answer?.id !== question.id) return
      if (!answer.ok) return fail(device, 'answer-wrong', `${device} failed its command: ${answer.error}`)
      const { device: named, serial } = answer.result
      if (named !== device || !question.serials.has(serial)) {
        const expected = `${device} with certificate ${[...question.serials].join(' or ')}`
        return fail(device, 'answer-wrong', `${expected} says that it is ${named} with certificate ${serial}`)
      }
      open.delete(device)
      done.add(device)
      census.commands.answered++
      all.step()
    },
    get unanswered() {
      return open.size
    },
    allAnswered: all.done,
  }
}
