import { type Certificate, findKeyWeakness, formatName, isIssuedBy, keyIdentifier } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import { kindOf } from './ca-id.ts'
import type { Hierarchy, Member } from './hierarchy-record.ts'
import { isTrusted, type TrustedMember } from './verify.ts'

// What comes from a root that is elsewhere is believed only where a root that is trusted already signed it.

/** A certificate that a CA may get, and how other trusted roots certified it; or why not. */
export type Judgement =
  | { readonly ok: true; readonly certificate: Certificate; readonly others: readonly Certificate[] }
  | ({ readonly ok: false } & Refusal)

/**
 * Judges the certificates of an issuing CA whose key is here: one by the current root, and one by every root that is
 * introduced, for the name and key of the request, and nothing else.
 */
export function judgeIssuing(
  certificates: readonly Certificate[],
  wanted: Pick<Member, 'id' | 'publicKey'> & { readonly subjectDer: Buffer },
  { members }: Hierarchy,
  now: Date,
): Judgement {
  const roots = members.filter(isTrusted).filter(({ id }) => kindOf(id) === 'root')
  const current = roots.find(({ state }) => state === 'issuing')
  for (const one of certificates) {
    if (one.publicKeyFingerprint !== wanted.publicKey) return refuse(one, `has not the key of ${wanted.id}`)
    if (!one.subjectDer.equals(wanted.subjectDer)) return refuse(one, 'has not the subject of the request')
    const problem = problemOf(one, 0, now)
    if (problem !== undefined) return refuse(one, problem)
    if (!roots.some((root) => isIssuedBy(one, root.certificate))) {
      return refuse(one, 'is signed by no root that is trusted here')
    }
  }
  const by = (root: TrustedMember | undefined) =>
    root && certificates.find((one) => isIssuedBy(one, root.certificate))
  const certificate = by(current)
  if (!certificate) return missing(`one that ${current?.id}, the current root, signed`)
  const wantedToo = roots.filter(({ state }) => state === 'introduced')
  const absent = wantedToo.find((root) => by(root) === undefined)
  if (absent) return missing(`one that ${absent.id} signed as well, which is introduced`)
  const others = certificates.filter((one) => one !== certificate)
  if (others.length > roots.length - 1) return refuse(certificate, 'is there more than once')
  return { ok: true, certificate, others }
}

/** A new root, as certified by the current one, and what it certified itself; or why it is none. */
export type RootJudgement =
  | {
      readonly ok: true
      readonly root: Certificate
      readonly newWithOld: Certificate
      /** The current root and every trusted issuing CA, by the new root. */
      readonly recertified: readonly Certificate[]
    }
  | ({ readonly ok: false } & Refusal)

/**
 * Judges a new root and what comes with it: its own certificate, itself as certified by the current root (which is why
 * anything of it is believed), and by it the current root and every trusted issuing CA. Each once and nothing else.
 */
export function judgeRoot(
  certificates: readonly Certificate[],
  { members }: Hierarchy,
  now: Date,
): RootJudgement {
  const trusted = members.filter(isTrusted)
  const current = trusted.find(({ id, state }) => kindOf(id) === 'root' && state === 'issuing')
  const [root, another] = certificates.filter((one) => isIssuedBy(one, one))
  if (!root || !current) return missing('the new root, signed by itself')
  if (another) return refuse(another, 'is a second root; send one')
  const ownProblem = problemOf(root, undefined, now)
  if (ownProblem !== undefined) return refuse(root, ownProblem)
  if (members.some(({ publicKey }) => publicKey === root.publicKeyFingerprint)) {
    return refuse(root, 'has a key that a CA here has, or had; make a new one')
  }
  if (trusted.some(({ certificate }) => certificate.subjectDer.equals(root.subjectDer))) {
    return refuse(root, 'has the name of another CA; give it a name of its own')
  }
  const left = certificates.filter((one) => one !== root)
  const take = (issuer: Certificate, subject: Certificate): Certificate | Refusal => {
    const at = left.findIndex((one) => isSameCa(one, subject) && isIssuedBy(one, issuer))
    const [found] = at === -1 ? [] : left.splice(at, 1)
    const name = formatName(subject.subject)
    if (!found) return missing(`${name} as signed by ${formatName(issuer.subject)}`)
    const problem = problemOf(found, subject.basicConstraints?.pathLength, now)
    return problem === undefined ? found : refuse(found, problem)
  }
  const newWithOld = take(current.certificate, root)
  if ('code' in newWithOld) return { ok: false, ...newWithOld }
  const recertified: Certificate[] = []
  for (const { id, certificate } of trusted) {
    if (kindOf(id) === 'root' && id !== current.id) continue
    const taken = take(root, certificate)
    if ('code' in taken) return { ok: false, ...taken }
    recertified.push(taken)
  }
  const [stranger] = left
  if (stranger) return refuse(stranger, 'is not asked for')
  return { ok: true, root, newWithOld, recertified }
}

function isSameCa(one: Certificate, other: Certificate): boolean {
  return one.subjectDer.equals(other.subjectDer) && one.publicKeyInfo.equals(other.publicKeyInfo)
}

/** basicConstraints, keyUsage, the key identifiers, and where to learn of its revocation (RFC 5280, 4.2). */
const allowedExtensions: ReadonlySet<string> = new Set([
  '2.5.29.19',
  '2.5.29.15',
  '2.5.29.14',
  '2.5.29.35',
  '2.5.29.31',
  '1.3.6.1.5.5.7.1.1',
])

/** What keeps a certificate from being that of a CA here, as the end of a sentence. */
function problemOf(certificate: Certificate, pathLength: number | undefined, now: Date): string | undefined {
  const { basicConstraints, keyUsage, extensions, publicKeyInfo, notBefore, notAfter } = certificate
  if (basicConstraints?.ca !== true) return 'is not that of a CA'
  if (basicConstraints.pathLength !== pathLength) {
    return `must have ${pathLength === undefined ? 'no pathLenConstraint' : `pathLenConstraint ${pathLength}`}`
  }
  const isExact = keyUsage?.length === 2 && keyUsage.includes('keyCertSign') && keyUsage.includes('cRLSign')
  if (!isExact) return 'must have the keyUsage keyCertSign and cRLSign, no other'
  const other = extensions.find(({ oid }) => !allowedExtensions.has(oid))
  if (other) return `must not have the extension ${other.oid}`
  if (certificate.subjectKeyId !== keyIdentifier(publicKeyInfo).toString('hex')) {
    return 'must have the subjectKeyIdentifier of RFC 7093, section 2, method 1'
  }
  if (certificate.authorityKeyId === undefined) return 'must have an authorityKeyIdentifier'
  const weakness = findKeyWeakness(certificate.publicKey)
  if (weakness) return `has a key that is not accepted: ${weakness.detail}`
  if (now < notBefore) return `is valid from ${notBefore.toISOString()} on`
  if (notAfter <= now) return `expired at ${notAfter.toISOString()}`
  return undefined
}

function refuse(certificate: Certificate, problem: string): { readonly ok: false } & Refusal {
  return {
    ok: false,
    code: 'authority-refused',
    detail: `certificates: ${formatName(certificate.subject)} by ${formatName(certificate.issuer)} ${problem}`,
  }
}

function missing(what: string): { readonly ok: false } & Refusal {
  return { ok: false, code: 'authority-refused', detail: `certificates: must have ${what}` }
}
