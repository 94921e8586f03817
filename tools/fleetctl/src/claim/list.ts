import type { Run } from '../command/command.ts'
import { listTable } from '../server/list-table.ts'
import type { Claim } from './claim.ts'

export const listClaims: Run = (input, context) =>
  listTable<Claim>(input, context, {
    things: 'claims',
    path: '/v1/claims',
    query: {},
    columns: {
      id: ({ id }) => id,
      state: ({ state }) => state,
      batch: ({ batch }) => batch,
      used: ({ used }) => String(used),
      quota: ({ quota }) => String(quota),
      'valid until': ({ notAfter }) => notAfter,
    },
  })
