import type { Run } from '../command/command.ts'
import { serialOf } from '../command/values.ts'
import type { CertificateRecord } from './certificate.ts'

export const getCertificate: Run = async (input, context) => {
  const serial = serialOf(input.args[0])
  const server = await context.server()
  const record = await server.call<CertificateRecord>(`cannot show ${serial}`, {
    method: 'GET',
    path: `/v1/certificates/${serial}`,
  })
  if (input.on('pem')) return { kind: 'text', json: record, text: record.certificate.trimEnd() }
  const { deviceId, profile, issuer, notBefore, notAfter, status, revocation } = record
  return {
    kind: 'fields',
    json: record,
    fields: [
      ['serial', record.serial],
      ['device', deviceId],
      ['status', status],
      ['revoked at', revocation?.at],
      ['reason', revocation?.reason],
      ['profile', profile],
      ['issued by', issuer],
      ['valid from', notBefore],
      ['valid until', notAfter],
    ],
  }
}
