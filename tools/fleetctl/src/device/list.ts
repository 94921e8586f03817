import type { Run } from '../command/command.ts'
import { listTable } from '../server/list-table.ts'
import { type Device, showLabels } from './device.ts'

export const listDevices: Run = (input, context) => {
  const profile = input.text('profile')
  // The server and its operator have identities in the inventory, too, and so have claims.
  const role = input.text('role') ?? (input.on('all') || profile !== undefined ? undefined : 'device')
  return listTable<Device>(input, context, {
    things: 'devices',
    path: '/v1/devices',
    query: { state: input.text('state'), role, profile },
    columns: {
      id: ({ id }) => id,
      state: ({ state }) => state,
      profile: ({ profile }) => profile,
      certificate: ({ certificate }) => certificate?.status,
      'valid until': ({ certificate }) => certificate?.notAfter,
      labels: ({ labels }) => showLabels(labels) || undefined,
    },
  })
}
