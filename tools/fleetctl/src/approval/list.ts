import type { Run } from '../command/command.ts'
import { limitOf, listAll, moreNote } from '../server/pages.ts'
import type { Approval } from './approval.ts'

export const listApprovals: Run = async (input, context) => {
  const limit = limitOf(input)
  const state = input.on('all') ? undefined : 'pending'
  const server = await context.server()
  const what = 'cannot list approvals'
  const { items, more } = await listAll<Approval>(server, what, '/v1/approvals', { state }, limit)
  return {
    kind: 'table',
    json: { items, more },
    columns: ['device', 'state', 'profile', 'address', 'asked', 'id'],
    rows: items.map(({ id, deviceId, state, profile, address, askedAt }) => [
      deviceId,
      state,
      profile,
      address,
      askedAt,
      id,
    ]),
    empty: state ? 'nobody waits' : 'nobody has asked',
    ...moreNote(more),
  }
}
