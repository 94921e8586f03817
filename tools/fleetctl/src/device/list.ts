import type { Run } from '../command/command.ts'
import { limitOf, listAll, moreNote } from '../server/pages.ts'
import { type Device, showLabels } from './device.ts'

export const listDevices: Run = async (input, context) => {
  const limit = limitOf(input)
  const server = await context.server()
  // The server and its operator have identities in the inventory, too, and so have claims.
  const role =
    input.text('role') ?? (input.on('all') || input.text('profile') !== undefined ? undefined : 'device')
  const query = { state: input.text('state'), role, profile: input.text('profile') }
  const { items, more } = await listAll<Device>(server, 'cannot list devices', '/v1/devices', query, limit)
  return {
    kind: 'table',
    json: { items, more },
    columns: ['id', 'state', 'profile', 'certificate', 'valid until', 'labels'],
    rows: items.map(({ id, state, profile, certificate, labels }) => [
      id,
      state,
      profile,
      certificate?.status ?? '-',
      certificate?.notAfter ?? '-',
      showLabels(labels) || '-',
    ]),
    empty: 'no devices',
    ...moreNote(more),
  }
}
