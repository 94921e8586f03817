import { createCsr, decodeCertsOnly, exportPrivateKey, generateKeyPair } from '@fleetroot/pki'
import type { Certificate, CsrOptions } from '@fleetroot/pki'
import type { Answer, Identity } from './request.ts'
import type { Testbed } from './testbed.ts'

/** Basic credentials of EST. */
export function basic(id: string, token: string): Record<string, string> {
  return { authorization: `Basic ${Buffer.from(`${id}:${token}`).toString('base64')}` }
}

/** A CSR of a new key, in base64; options replace the CN and the key. */
export function csrFor(id: string, options: Partial<CsrOptions> = {}): string {
  const { privateKey } = generateKeyPair('P-256')
  return createCsr({ privateKey, commonName: id, ...options }).toString('base64')
}

/** POSTs a CSR to EST simpleenroll. */
export function simpleEnroll(
  testbed: Testbed,
  id: string,
  token: string,
  csr: string | Buffer,
  path = '/.well-known/est/simpleenroll',
): Promise<Answer> {
  const headers = { 'content-type': 'application/pkcs10', ...basic(id, token) }
  return testbed.request(path, { method: 'POST', headers, body: csr })
}

/** POSTs a CSR to REST. */
export function restEnroll(testbed: Testbed, token: string, csr: string): Promise<Answer> {
  const headers = { authorization: `Bearer ${token}` }
  return testbed.request('/v1/enrollments', { method: 'POST', headers, json: { csr } })
}

/** The certificate in an answer of EST. */
export function certificateIn(answer: Answer): Certificate {
  const [certificate] = decodeCertsOnly(Buffer.from(answer.body, 'base64'))
  if (answer.status !== 200 || !certificate) throw new Error(`${answer.status}: ${answer.body}`)
  return certificate
}

/** Enrolls a new device and resolves to what it could connect with. */
export async function enrolledDevice(
  testbed: Testbed,
  id: string,
  device: object = {},
): Promise<{ identity: Identity; certificate: Certificate; privateKey: CsrOptions['privateKey'] }> {
  const token = await testbed.token(id, device)
  const { privateKey } = generateKeyPair('P-256')
  const answer = await simpleEnroll(testbed, id, token, csrFor(id, { privateKey }))
  const certificate = certificateIn(answer)
  return { identity: { key: exportPrivateKey(privateKey), cert: certificate.pem }, certificate, privateKey }
}
