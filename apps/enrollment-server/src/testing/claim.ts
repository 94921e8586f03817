import { createCsr, exportPrivateKey, generateKeyPair } from '@fleetroot/pki'
import type { CsrOptions } from '@fleetroot/pki'
import { command } from './operator.ts'
import type { Answer, Identity } from './request.ts'
import type { Testbed } from './testbed.ts'

/** A claim with the key that a production line would hold. */
export interface TestClaim {
  readonly identity: Identity
  readonly privateKey: CsrOptions['privateKey']
  readonly serial: string
}

/** Makes a claim for a batch. */
export async function makeClaim(
  testbed: Testbed,
  id: string,
  batch: string,
  { quota = 10, ...more }: { quota?: number; expiresInSeconds?: number } = {},
): Promise<TestClaim> {
  const { privateKey } = generateKeyPair('P-256')
  const csr = createCsr({ privateKey, commonName: id }).toString('base64')
  const answer = await command(testbed, '/v1/claims', { id, batch, quota, csr, ...more })
  if (answer.status !== 201) throw new Error(`${answer.status}: ${answer.body}`)
  const { certificate, chain, serial } = answer.json as {
    certificate: string
    chain: string[]
    serial: string
  }
  return {
    identity: { key: exportPrivateKey(privateKey), cert: certificate + chain.join('') },
    privateKey,
    serial,
  }
}

/** Registers devices of a batch. */
export async function registerBatch(testbed: Testbed, batch: string, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const { status, body } = await command(testbed, '/v1/devices', { id, batch })
    if (status !== 201) throw new Error(body)
  }
}

/** POSTs a CSR to EST simpleenroll with a claim instead of a token. */
export function estClaim(testbed: Testbed, { identity }: TestClaim, csr: string): Promise<Answer> {
  const headers = { 'content-type': 'application/pkcs10' }
  return testbed.request('/.well-known/est/simpleenroll', { method: 'POST', headers, body: csr, identity })
}

/** POSTs a CSR to REST with a claim instead of a token. */
export function restClaim(testbed: Testbed, { identity }: TestClaim, csr: string): Promise<Answer> {
  return testbed.request('/v1/enrollments', { method: 'POST', json: { csr }, identity })
}
