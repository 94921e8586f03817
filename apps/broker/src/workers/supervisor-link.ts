import { ServiceError } from '@fleetroot/service'
import type { Beginning, FromWorker, Questions, ToWorker } from './messages.ts'

/** What a worker does with what it is told. */
export interface LinkListener {
  readonly onChange: (message: ToWorker) => void
  readonly onStop: () => void
  readonly answer: (question: ToWorker & { kind: 'ask' }) => Promise<Questions[keyof Questions]['answer']>
}

/** A worker's side of the channel to the supervising process. */
export interface SupervisorLink {
  readonly beginning: Promise<Beginning>
  /** Hears what is told, and what was told before. */
  readonly listen: (listener: LinkListener) => void
  readonly send: (message: FromWorker) => void
}

/**
 * Greets the process that started this one. When that is gone this one ends at once: nobody would tell it of
 * revocations, and the next start needs its ports. Throws ServiceError `config` where there is none.
 */
export function connectToSupervisor(): SupervisorLink {
  if (process.send === undefined) {
    throw new ServiceError('config', 'a worker is started by the broker: use --workers')
  }
  const { promise, resolve } = Promise.withResolvers<Beginning>()
  let listener: LinkListener | undefined
  // Those that come before the listener is there, in their order.
  const early: ToWorker[] = []

  function send(message: FromWorker): void {
    if (process.connected) process.send!(message, () => undefined)
  }

  async function handle(message: ToWorker): Promise<void> {
    if (listener === undefined) {
      // Nothing is open yet.
      if (message.kind === 'stop') process.exit(0)
      return void early.push(message)
    }
    if (message.kind === 'stop') return listener.onStop()
    if (message.kind !== 'ask') return listener.onChange(message)
    return send({ kind: 'answer', number: message.number, answer: await listener.answer(message) })
  }

  process.once('disconnect', () => process.exit(1))
  process.on('message', (message) => {
    const told = message as ToWorker
    if (told.kind === 'begin') resolve(told.beginning)
    else void handle(told)
  })
  send({ kind: 'hello' })
  return {
    beginning: promise,
    listen: (next) => {
      listener = next
      for (const message of early.splice(0)) void handle(message)
    },
    send,
  }
}
