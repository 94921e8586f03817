import { PkiError } from '../error.ts'
import type { SerialNumber } from '../serial.ts'
import type { Crl } from './crl.ts'
import { CrlEntries, type RevokedCertificates } from './entries.ts'
import type { RevocationReason } from './reason.ts'

/**
 * The entries of a delta CRL (RFC 5280 section 5.2.4): for each serial that changed since the base, its entry
 * as it is now, or `removeFromCRL` where it has none any more. A serial that came and went since the base may
 * be among them: saying too often that it is not revoked harms nobody.
 *
 * @param removedAt the revocationDate of the removals, where the time means nothing
 */
export function deltaEntries(
  current: RevokedCertificates,
  changed: Iterable<SerialNumber>,
  removedAt: Date,
): CrlEntries {
  return new CrlEntries(
    [...new Set(changed)].map(
      (serial) => current.get(serial) ?? { serial, revokedAt: removedAt, reason: 'removeFromCRL' },
    ),
  )
}

/** Says why a serial is revoked, or undefined: not revoked. */
export type RevocationLookup = (serial: SerialNumber) => RevocationReason | undefined

/**
 * What a complete list says after a delta is applied to it (section 6.3.3 c). Both must have been verified.
 *
 * @throws PkiError `crl-unsupported` when the two do not belong together: another issuer, key or scope, a base
 * that is itself a delta, is older than what the delta changes, or newer than the delta
 */
export function applyDelta(base: Crl, delta: Crl): RevocationLookup {
  checkPair(base, delta)
  return (serial) => {
    const entry = delta.revoked.get(serial) ?? base.revoked.get(serial)
    const reason = entry === undefined ? undefined : (entry.reason ?? 'unspecified')
    return reason === 'removeFromCRL' ? undefined : reason
  }
}

function checkPair(base: Crl, delta: Crl): void {
  if (base.baseNumber !== undefined) throw mismatch('the base must be a complete list')
  if (delta.baseNumber === undefined) throw mismatch('the second list must be a delta')
  if (!base.issuerDer.equals(delta.issuerDer) || base.authorityKeyId !== delta.authorityKeyId) {
    throw mismatch('the two lists have different issuers')
  }
  if (!sameScope(base, delta)) throw mismatch('the two lists have different scopes')
  if (base.number < delta.baseNumber) throw mismatch('the base is older than the list that the delta changes')
  if (base.number >= delta.number) throw mismatch('the base is as new as the delta')
}

function sameScope(base: Crl, delta: Crl): boolean {
  const scope = ({ issuingDistributionPoint: point }: Crl) =>
    JSON.stringify([point?.urls ?? [], point?.onlyContains ?? 'both'])
  return scope(base) === scope(delta)
}

function mismatch(problem: string): PkiError {
  return new PkiError('crl-unsupported', `delta CRL: ${problem}`)
}
