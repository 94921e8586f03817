import type { Run } from '../command/command.ts'
import { listTable } from '../server/list-table.ts'
import type { Approval } from './approval.ts'

export const listApprovals: Run = (input, context) => {
  const state = input.on('all') ? undefined : 'pending'
  return listTable<Approval>(input, context, {
    things: 'approvals',
    path: '/v1/approvals',
    query: { state },
    columns: {
      device: ({ deviceId }) => deviceId,
      state: ({ state }) => state,
      profile: ({ profile }) => profile,
      address: ({ address }) => address,
      asked: ({ askedAt }) => askedAt,
      id: ({ id }) => id,
    },
    empty: state ? 'nobody waits' : 'nobody has asked',
  })
}
