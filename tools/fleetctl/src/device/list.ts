import type { Run } from '../command/command.ts'
import { limitOf, listAll, moreNote } from '../server/pages.ts'
import { type Device, showLabels } from './device.ts'

export const listDevices: Run = async (input, context) => {
  const limit = limitOf(input)
  const server = await context.server()
  const query = { state: input.text('state') }
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
