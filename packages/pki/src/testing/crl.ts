import { parseSerial } from '../serial.ts'
import { testAuthority, testNow } from './authority.ts'
import { createCrl, type CrlOptions } from '../crl/create.ts'
import type { Crl } from '../crl/crl.ts'
import type { CrlEntry } from '../crl/entry.ts'
import { revocationReasons } from '../crl/reason.ts'

/** The CA of the CRL tests. */
export const authority = await testAuthority()

/** When {@link testCrl} has its nextUpdate. */
export const tomorrow = new Date(testNow.getTime() + 86_400_000)

/** One entry for each reason that a complete list may have, in the order of their serials; one without reason. */
export const oneOfEach: readonly CrlEntry[] = [
  { serial: parseSerial('01'), revokedAt: new Date('2026-11-01T00:00:00Z') },
  ...revocationReasons
    .filter(({ name }) => name !== 'unspecified' && name !== 'removeFromCRL')
    .map(({ name, code }) => ({
      serial: parseSerial(`5f0000000000000000000000000000${(0x80 + code).toString(16)}`),
      revokedAt: new Date('2026-11-02T03:04:05Z'),
      reason: name,
    })),
]

/** A list by the issuing CA with {@link oneOfEach}, unless the options say otherwise. */
export function testCrl(options: Partial<CrlOptions> = {}): Promise<Crl> {
  return createCrl({
    issuer: authority.issuing,
    number: 7n,
    thisUpdate: testNow,
    nextUpdate: tomorrow,
    entries: oneOfEach,
    ...options,
  })
}
