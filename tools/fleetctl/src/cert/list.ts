import type { Run } from '../command/command.ts'
import { deviceIdOf } from '../command/values.ts'
import { listTable } from '../server/list-table.ts'
import type { CertificateRecord } from './certificate.ts'

export const listCertificates: Run = async (input, context) => {
  const device = input.text('device')
  const deviceId = device === undefined ? undefined : deviceIdOf(device, '--device')
  return listTable<CertificateRecord>(input, context, {
    things: 'certificates',
    path: '/v1/certificates',
    query: { deviceId, status: input.text('status') },
    columns: {
      serial: ({ serial }) => serial,
      device: ({ deviceId }) => deviceId,
      profile: ({ profile }) => profile,
      status: ({ status }) => status,
      'valid until': ({ notAfter }) => notAfter,
      reason: ({ revocation }) => revocation?.reason,
    },
  })
}
