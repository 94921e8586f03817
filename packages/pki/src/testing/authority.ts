import type { Issuer } from '../certificate/index.ts'
import { parseDeviceId } from '../device-id.ts'
import type { KeyAlgorithm } from '../key/index.ts'
import { makeIssuing, makeRoot } from './hierarchy.ts'
import { testKeyPair } from './key-pair.ts'

/** A fixed moment, so that expected dates can be written down. */
export const testNow = new Date('2026-11-20T12:00:00.500Z')

/** An admitted subject for tests. */
export const pump7 = { id: parseDeviceId('pump-7'), trustDomain: 'fleet.example' }

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
