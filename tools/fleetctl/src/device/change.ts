import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { type Device, deviceAnswer, devicePath } from './device.ts'

/** Puts certificates on hold; can be taken back, so that nothing is asked. */
export const suspendDevice: Run = change('suspend')

export const resumeDevice: Run = change('resume')

export const retireDevice: Run = change(
  'retire',
  (id) => `Retire ${id} for ever: its certificates are revoked, and its id can never be used again.`,
)

function change(what: 'suspend' | 'resume' | 'retire', question?: (id: string) => string): Run {
  return async (input, context) => {
    const id = deviceIdOf(input.args[0])
    if (question) await context.confirm(question(id))
    const server = await context.server()
    return deviceAnswer(
      await server.call<Device>(`cannot ${what} ${id}`, {
        method: 'POST',
        path: devicePath(id, `/${what}`),
        body: {},
      }),
    )
  }
}
