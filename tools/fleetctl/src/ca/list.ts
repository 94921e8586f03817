import type { Run } from '../command/command.ts'
import { readAuthorities } from './authority.ts'

export const listAuthorities: Run = async (_input, context) => {
  const { trustDomain, authorities } = await readAuthorities(await context.server({ anonymous: true }))
  return {
    kind: 'table',
    json: { trustDomain, items: authorities },
    columns: ['id', 'kind', 'state', 'valid until', 'key id'],
    rows: authorities.map(({ id, kind, state, notAfter, subjectKeyId }) => [
      id,
      kind,
      state,
      notAfter ?? '-',
      subjectKeyId ?? '-',
    ]),
    empty: 'no CAs',
  }
}
