import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { limitOf, listAll, moreNote } from '../server/pages.ts'
import type { CertificateRecord } from './certificate.ts'

export const listCertificates: Run = async (input, context) => {
  const device = input.text('device')
  const query = {
    deviceId: device === undefined ? undefined : deviceIdOf(device, '--device'),
    status: input.text('status'),
  }
  const limit = limitOf(input)
  const server = await context.server()
  const what = 'cannot list certificates'
  const { items, more } = await listAll<CertificateRecord>(server, what, '/v1/certificates', query, limit)
  return {
    kind: 'table',
    json: { items, more },
    columns: ['serial', 'device', 'profile', 'status', 'valid until', 'reason'],
    rows: items.map(({ serial, deviceId, profile, status, notAfter, revocation }) => [
      serial,
      deviceId,
      profile,
      status,
      notAfter,
      revocation?.reason ?? '-',
    ]),
    empty: 'no certificates',
    ...moreNote(more),
  }
}
