import { randomUUID } from 'node:crypto'
import type { DeviceId } from '@fleetroot/pki'
import type { Census } from '../accounting/census.ts'
import { describeThrown } from '../accounting/failures.ts'
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
   * Asks the device to identify itself; call it whenever the device is connected and subscribed. A command
   * that was lost with a connection is repeated, an answered one is not.
   */
  ask(expected: Expected): void
  /** Judges what came in on the result topic of `device`. */
  answer(device: DeviceId, command: string, payload: Uint8Array): void
  /** Commands without a right answer so far. */
  readonly unanswered: number
}

const command = 'identify'

/** A commander that publishes through `publish` and counts in `census`. */
export function createCommander(options: {
  run: string
  census: Census
  publish: (topic: string, payload: string) => Promise<void>
}): Commander {
  const { run, census, publish } = options
  const open = new Map<DeviceId, { nonce: string; serial: string }>()
  const done = new Set<DeviceId>()

  const fail = (device: DeviceId, code: string, message: string): void =>
    census.failures.add({ device, phase: 'command', code, message })

  return {
    ask({ id, serial }) {
      if (done.has(id)) return
      let question = open.get(id)
      if (question === undefined) {
        question = { nonce: randomUUID(), serial }
        open.set(id, question)
        census.commands.sent++
      }
      const payload = encodeCommand({ run, command, nonce: question.nonce })
      publish(commandTopic(id, command), payload).catch((thrown: unknown) => {
        const { code, message } = describeThrown(thrown)
        fail(id, code, `the command could not be sent: ${message}`)
      })
    },
    answer(device, name, payload) {
      const question = open.get(device)
      const result = decodeResult(payload)
      // Results of another run, or of an operator's own commands, are none of our business.
      if (name !== command || question === undefined || result?.run !== run) return
      if (result.nonce !== question.nonce || result.id !== device) {
        return fail(device, 'answer-wrong', `${device} answered for ${result.id}, or to another question`)
      }
      if (result.serial !== question.serial) {
        return fail(
          device,
          'answer-wrong',
          `${device} says that its certificate is ${result.serial}, not ${question.serial}`,
        )
      }
      open.delete(device)
      done.add(device)
      census.commands.answered++
    },
    get unanswered() {
      return open.size
    },
  }
}
