import type { Run } from '../command/command.ts'
import { limitOf, listAll, moreNote } from '../server/pages.ts'
import type { Claim } from './claim.ts'

export const listClaims: Run = async (input, context) => {
  const limit = limitOf(input)
  const server = await context.server()
  const { items, more } = await listAll<Claim>(server, 'cannot list claims', '/v1/claims', {}, limit)
  return {
    kind: 'table',
    json: { items, more },
    columns: ['id', 'state', 'batch', 'used', 'quota', 'valid until'],
    rows: items.map(({ id, state, batch, used, quota, notAfter }) => [
      id,
      state,
      batch,
      String(used),
      String(quota),
      notAfter ?? '-',
    ]),
    empty: 'no claims',
    ...moreNote(more),
  }
}
