import { certificateIdentity } from '@fleetroot/pki'
import type { Answer } from '../output/answer.ts'
import type { ServerFiles } from '../server/files.ts'
import type { OperatorIdentity } from '../server/identity.ts'

/** Who this command line is. */
export function identityAnswer({ certificate }: OperatorIdentity, files: ServerFiles): Answer {
  const identity = certificateIdentity(certificate)
  const known = 'refused' in identity ? undefined : identity
  const { serial } = certificate
  const [notBefore, notAfter] = [certificate.notBefore.toISOString(), certificate.notAfter.toISOString()]
  return {
    kind: 'fields',
    json: { id: known?.id ?? null, role: known?.role ?? null, serial, notBefore, notAfter, file: files.cert },
    fields: [
      ['id', known?.id],
      ['role', known?.role],
      ['serial', serial],
      ['valid until', notAfter],
      ['file', files.cert],
      ['server', files.url],
    ],
  }
}
