import type { Issuer } from '../certificate/index.ts'
import { parseDeviceId } from '../device-id.ts'
import { generateKeyPair, type KeyAlgorithm, type KeyPair } from '../key/index.ts'
import { makeIssuing, makeRoot } from './hierarchy.ts'

/** A fixed moment, so that expected dates can be written down. */
export const testNow = new Date('2026-11-20T12:00:00.500Z')

/** An admitted subject for tests. */
export const pump7 = { id: parseDeviceId('pump-7'), trustDomain: 'fleet.example' }

const keyPairs = new Map<string, KeyPair>()

/** One key pair per algorithm and name, made once per test file: RSA takes its time. */
export function testKeyPair(algorithm: KeyAlgorithm, name: string): KeyPair {
  const id = `${algorithm} ${name}`
  const known = keyPairs.get(id) ?? generateKeyPair(algorithm)
  keyPairs.set(id, known)
  return known
}

/** A root and one issuing CA below it, with real keys. */
export async function testAuthority(
  algorithm: KeyAlgorithm = 'P-256',
  now: Date = testNow,
): Promise<{ root: Issuer; issuing: Issuer }> {
  const wish = (name: string, commonName: string) => ({
    commonName,
    organization: 'Fleetroot',
    keys: testKeyPair(algorithm, name),
    now,
  })
  const root = await makeRoot(wish('root', 'Test Root'))
  return { root, issuing: await makeIssuing(root, wish('issuing', 'Test Devices')) }
}
