import { createCsr, exportPrivateKey, generateKeyPair, toPem } from '@fleetroot/pki'
import type { Operator } from './operator.ts'

/** A key and its certificate chain, PEM. */
export interface Enrolled {
  readonly key: string
  readonly cert: string
}

/** Requests to the enrollment server at the same time. */
const atOnce = 16

/** Registers and enrolls many at once, each with a key and a token of its own. Throws on the first that is refused. */
export async function enrollAll(
  admin: Operator,
  ids: readonly string[],
  record: Record<string, unknown> = {},
): Promise<Map<string, Enrolled>> {
  const queue = [...ids]
  const enrolled = new Map<string, Enrolled>()
  const run = async (): Promise<void> => {
    for (let id = queue.pop(); id !== undefined; id = queue.pop())
      enrolled.set(id, await enroll(admin, id, record))
  }
  await Promise.all(Array.from({ length: atOnce }, run))
  return enrolled
}

async function enroll(admin: Operator, id: string, record: Record<string, unknown>): Promise<Enrolled> {
  const authorization = `Bearer ${await admin.token(id, record)}`
  const { privateKey } = generateKeyPair('P-256')
  const csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: id }))
  const { status, body } = await admin.call('POST', '/v1/enrollments', { csr }, { authorization })
  if (status !== 201) throw new Error(`${id}: ${status} ${JSON.stringify(body)}`)
  const { certificate, chain } = body as { certificate: string; chain: string[] }
  return { key: exportPrivateKey(privateKey), cert: [certificate, ...chain].join('') }
}
