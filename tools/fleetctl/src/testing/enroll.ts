import { createCsr, generateKeyPair, toPem } from '@fleetroot/pki'
import type { Session } from './session.ts'

/** Registers a device and has a certificate issued for it; resolves to the certificate's serial number. */
export async function enrolled(session: Session, id: string): Promise<string> {
  const token = await session.operator.token(id)
  const { privateKey } = generateKeyPair('P-256')
  const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
  const headers = { authorization: `Bearer ${token}` }
  const { status, body } = await session.operator.call('POST', '/v1/enrollments', { csr }, headers)
  if (status !== 201) throw new Error(`enrollment of ${id}: ${status} ${JSON.stringify(body)}`)
  return (body as { serial: string }).serial
}
