import { type Certificate, isIssuedBy } from '@fleetroot/pki'

/** What an authenticated answer makes of the trust anchors that are held. */
export interface Rollover {
  /** Those to hold from now on, the newest first; never none. */
  readonly anchors: readonly Certificate[]
  readonly added: readonly Certificate[]
  readonly dropped: readonly Certificate[]
  /** Roots in the answer that no anchor vouches for. */
  readonly refused: readonly Certificate[]
}

/**
 * Judges what the server calls its CAs (RFC 7030 section 4.1.3), in an answer over TLS that an anchor in `held`
 * has proven. A new root is believed only if the answer holds its new-with-old certificate (RFC 4210 section
 * 4.4: its name and key, signed with the key before it) and an anchor that is held signed that: whoever has taken
 * the server, and not the root's key, cannot plant a root. The certificate of an issuing CA, whose key is on the server,
 * vouches for none: its pathLenConstraint is 0. Several generations may follow one another.
 *
 * An anchor that the answer no longer lists is dropped, unless that left none: an answer that knows none of ours
 * is from another fleet, and changes nothing. Pure.
 */
export function judgeRollover(
  held: readonly Certificate[],
  answer: readonly Certificate[],
  now: Date,
): Rollover {
  const roots = distinct(answer.filter((certificate) => isIssuedBy(certificate, certificate)))
  const trusted = [...held]
  let unproven = roots.filter((root) => !holds(held, root))
  for (;;) {
    const proven = unproven.find((root) => isValid(root, now) && isVouchedFor(root, answer, trusted, now))
    if (proven === undefined) break
    trusted.push(proven)
    unproven = unproven.filter((root) => root !== proven)
  }
  const listed = trusted.filter((anchor) => holds(answer, anchor))
  if (listed.length === 0) return { anchors: held, added: [], dropped: [], refused: unproven }
  return {
    // cacerts is a set: its order says nothing, so that the newest stands for the current one.
    anchors: listed.toSorted((one, other) => other.notBefore.getTime() - one.notBefore.getTime()),
    added: listed.filter((anchor) => !holds(held, anchor)),
    dropped: held.filter((anchor) => !holds(listed, anchor)),
    refused: unproven,
  }
}

/** Whether `answer` holds the new-with-old certificate of `root`, signed by an anchor that is trusted before it. */
function isVouchedFor(
  root: Certificate,
  answer: readonly Certificate[],
  trusted: readonly Certificate[],
  now: Date,
): boolean {
  return answer.some(
    (cross) =>
      cross.subjectDer.equals(root.subjectDer) &&
      cross.publicKeyInfo.equals(root.publicKeyInfo) &&
      depthBelow(cross) > 0 &&
      depthBelow(cross) >= depthBelow(root) &&
      isValid(cross, now) &&
      trusted.some((old) => depthBelow(old) > 0 && isValid(old, now) && isIssuedBy(cross, old)),
  )
}

/** How many CAs there may be below one (RFC 5280 section 4.2.1.9); below none, or an issuing CA, nobody is a root. */
function depthBelow({ basicConstraints, keyUsage }: Certificate): number {
  const maySign = basicConstraints?.ca === true && (keyUsage?.includes('keyCertSign') ?? true)
  return maySign ? (basicConstraints.pathLength ?? Infinity) : 0
}

function isValid({ notBefore, notAfter }: Certificate, now: Date): boolean {
  return now >= notBefore && now < notAfter
}

function holds(list: readonly Certificate[], certificate: Certificate): boolean {
  return list.some(({ der }) => der.equals(certificate.der))
}

function distinct(certificates: readonly Certificate[]): Certificate[] {
  return certificates.filter(({ der }, at) => certificates.findIndex((other) => other.der.equals(der)) === at)
}
