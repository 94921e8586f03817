import { type Certificate, isIssuedBy } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import { type CaId, type CaKind, kindOf, nextCaId } from './ca-id.ts'
import type { AuthorityChange, Hierarchy, Member } from './hierarchy-record.ts'
import { isTrusted } from './verify.ts'

/** Who wants a change, and when. */
export type Wish = Pick<AuthorityChange, 'atMs' | 'by'>

/** A change of the hierarchy as a value, or why there is none; `changed` is false when it was so before. */
export type Changed =
  | { readonly ok: true; readonly changed: boolean; readonly hierarchy: Hierarchy; readonly id: CaId }
  | ({ readonly ok: false } & Refusal)

/** How many CAs of a kind may be trusted at once: each costs every client memory and the server a CRL. */
const mostTrusted = 5

/** The id that the next CA of a kind gets. */
export function nextId(kind: CaKind, { members }: Hierarchy): CaId {
  const known = members.map(({ id }) => id)
  return nextCaId(kind, known)
}

/**
 * Why no new CA of a kind can be made now: one is on its way already, or too many are retiring. There are never more than
 * two trusted roots, so that a chain needs one cross certificate and no more.
 */
export function refuseRotation(kind: CaKind, { members }: Hierarchy): Refusal | undefined {
  const pending = (detail: string): Refusal => ({ code: 'rotation-pending', detail })
  const ofKind = members.filter(({ id }) => kindOf(id) === kind)
  const underWay = ofKind.find(({ state }) => state === 'introduced')
  if (underWay) return pending(`kind: ${underWay.id} is introduced; activate it, or retire it to give it up`)
  const trusted = ofKind.filter(isTrusted)
  if (trusted.length < (kind === 'root' ? 2 : mostTrusted)) return undefined
  const oldest = trusted.find(({ state }) => state === 'retiring')
  return pending(`kind: ${oldest?.id} is still retiring; retire it first`)
}

/** Adds a CA whose key is here and whose certificate is still to come. */
export function requested(
  { id, publicKey }: Pick<Member, 'id' | 'publicKey'>,
  hierarchy: Hierarchy,
  wish: Wish,
): Changed {
  const member: Member = { id, publicKey, state: 'requested', cross: [] }
  return change(hierarchy, [...hierarchy.members, member], 'authority-requested', id, wish)
}

/**
 * Adds a CA that everybody shall learn to trust. With a new root come the certificates that it gave to the CAs that there
 * are: `recertified`.
 */
export function introduced(
  added: Pick<Member, 'id' | 'publicKey' | 'cross'> & { readonly certificate: Certificate },
  hierarchy: Hierarchy,
  wish: Wish & { readonly introduceForMs: number; readonly recertified?: readonly Certificate[] },
): Changed {
  const { atMs, introduceForMs, recertified = [] } = wish
  const member: Member = {
    ...added,
    state: 'introduced',
    introducedAtMs: atMs,
    activatesAtMs: atMs + introduceForMs,
  }
  const others = hierarchy.members
    .filter(({ id }) => id !== member.id)
    .map((one) => {
      const more = recertified.filter(
        ({ publicKeyFingerprint }) => publicKeyFingerprint === one.publicKey && isTrusted(one),
      )
      return more.length === 0 ? one : { ...one, cross: [...one.cross, ...more] }
    })
  const next = change(hierarchy, [...others, member], 'authority-introduced', member.id, wish)
  // Nobody wants to wait: both changes are one.
  return introduceForMs === 0 && next.ok ? activated(member.id, next.hierarchy, wish) : next
}

/**
 * Makes an introduced CA the issuing one, and the one before it retiring. With a new root every issuing CA goes on under
 * the certificate that this root gave it.
 */
export function activated(id: CaId, hierarchy: Hierarchy, wish: Wish): Changed {
  const found = hierarchy.members.find((member) => member.id === id)
  if (!found) return unknown(id)
  if (found.state === 'issuing') return { ok: true, changed: false, hierarchy, id }
  if (!isTrusted(found) || found.state !== 'introduced') {
    return { ok: false, code: 'authority-state', detail: `id: ${id} is ${found.state}, not introduced` }
  }
  const kind = kindOf(id)
  const members: Member[] = []
  for (const member of hierarchy.members) {
    if (member.id === id) {
      const { activatesAtMs: _, ...rest } = member
      members.push({ ...rest, state: 'issuing' })
    } else if (kindOf(member.id) === kind && member.state === 'issuing') {
      members.push({ ...member, state: 'retiring' })
    } else if (kind === 'root' && isTrusted(member) && kindOf(member.id) !== 'root') {
      const all = [member.certificate, ...member.cross]
      const certificate = all.find((one) => isIssuedBy(one, found.certificate))
      if (!certificate) {
        const detail = `id: ${member.id} is not certified by ${id}; make the new root anew, so that it is`
        return { ok: false, code: 'authority-state', detail }
      }
      members.push({ ...member, certificate, cross: all.filter((one) => one !== certificate) })
    } else {
      members.push(member)
    }
  }
  return change(hierarchy, members, 'authority-activated', id, wish)
}

/**
 * Takes a CA out of the bundle, or gives up a request. `inUse` is how many certificates in use would end with it; only
 * `force` goes over that. What a root had signed goes with it.
 */
export function retired(
  id: CaId,
  hierarchy: Hierarchy,
  wish: Wish & { readonly inUse: number; readonly force: boolean },
): Changed {
  const { inUse, force } = wish
  const found = hierarchy.members.find((member) => member.id === id)
  if (!found) return unknown(id)
  if (found.state === 'retired') return { ok: true, changed: false, hierarchy, id }
  if (found.state === 'issuing') {
    const detail = `id: ${id} is the one that issues; rotate first, and retire it when another one does`
    return { ok: false, code: 'authority-issuing', detail }
  }
  if (inUse > 0 && !force) {
    const detail =
      kindOf(id) === 'root'
        ? `id: ${inUse} devices were not here since another root was introduced, and know only ${id}; wait, or force it`
        : `id: ${inUse} certificates of ${id} are in use; wait until they were renewed, or force it`
    return { ok: false, code: 'authority-in-use', detail }
  }
  const members = hierarchy.members.map((member): Member => {
    if (member.id === id) {
      const { activatesAtMs: _, ...rest } = member
      return { ...rest, state: 'retired', cross: [] }
    }
    const { certificate } = found
    if (kindOf(id) !== 'root' || !certificate || !isTrusted(member)) return member
    return { ...member, cross: member.cross.filter((one) => !isIssuedBy(one, certificate)) }
  })
  return change(hierarchy, members, 'authority-retired', id, wish, inUse > 0)
}

/** The CAs whose time to become the issuing ones has come. */
export function dueForActivation({ members }: Hierarchy, nowMs: number): CaId[] {
  return members
    .filter(({ state, activatesAtMs = Infinity }) => state === 'introduced' && activatesAtMs <= nowMs)
    .map(({ id }) => id)
}

function unknown(id: string): Changed {
  return { ok: false, code: 'authority-unknown', detail: `id: there is no CA ${id}` }
}

function change(
  { revision, changes }: Hierarchy,
  members: readonly Member[],
  type: AuthorityChange['type'],
  id: CaId,
  { atMs, by }: Wish,
  forced = false,
): Changed {
  const next = revision + 1
  const written = { revision: next, type, id, atMs, ...(by && { by }), ...(forced && { forced }) }
  return {
    ok: true,
    changed: true,
    id,
    hierarchy: { revision: next, members, changes: [...changes, written] },
  }
}
