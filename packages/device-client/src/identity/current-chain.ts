import type { Certificate } from '@fleetroot/pki'

import type { TrustAnchors } from '../trust/anchors.ts'
import { buildChain } from './chain.ts'
import type { StoredIdentity } from './stored-identity.ts'

/**
 * The chain of an identity to the anchors of now. The one beside it on disk may lead to a root that is gone while
 * the issuing CA was certified again below the next: the same key, so that the certificate is as good as before.
 * Throws as `buildChain`.
 */
export function currentChain(
  { certificate, chain }: Pick<StoredIdentity, 'certificate' | 'chain'>,
  { intermediates, certificates: trust }: TrustAnchors,
  now: Date,
): Certificate[] {
  return buildChain(certificate, { issuers: [...intermediates, ...chain], trust, now })
}

/** The identity with `currentChain`; as it is where that is the chain that it has, or there is none. */
export function withCurrentChain(identity: StoredIdentity, anchors: TrustAnchors, now: Date): StoredIdentity {
  const chain = chainOrNone(identity, anchors, now)
  if (chain === undefined || isSame(chain, identity.chain)) return identity
  return { ...identity, chain, cert: [identity.certificate, ...chain].map(({ pem }) => pem).join('') }
}

function chainOrNone(identity: StoredIdentity, anchors: TrustAnchors, now: Date): Certificate[] | undefined {
  try {
    return currentChain(identity, anchors, now)
  } catch {
    return undefined
  }
}

function isSame(one: readonly Certificate[], other: readonly Certificate[]): boolean {
  return one.length === other.length && one.every(({ der }, at) => other[at]?.der.equals(der) === true)
}
