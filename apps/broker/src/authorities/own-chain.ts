import { servingChain, type StoredIdentity } from '@fleetroot/device-client'
import type { KeyAndCertificate } from '@fleetroot/tls-config'
import type { Authorities } from './authorities.ts'

/**
 * The broker's identity as its listeners show it: with the chain to the current root, and what leads from there to
 * the others, so that a device that was away for a rollover can still follow. The chain that it has when there is
 * none to these roots, which clients then refuse for what it is.
 */
export function shownIdentity(
  identity: StoredIdentity,
  { roots, cross, issuing }: Authorities,
  now: Date,
): KeyAndCertificate {
  const { key, certificate } = identity
  const issuers = [...issuing.map((authority) => authority.certificate), ...cross]
  try {
    const chain = servingChain(certificate, { issuers, trust: roots, now })
    return { key, cert: [certificate, ...chain].map(({ pem }) => pem).join('') }
  } catch {
    return identity
  }
}
