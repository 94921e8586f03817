import { createPublicKey } from 'node:crypto'
import { type Certificate, createCsr, encodeName, nameOf, publicKeyFingerprint, toPem } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'
import type { Registry } from '../registry/registry.ts'
import type { Authorities } from './authorities.ts'
import { type CaId, type CaKind, isCaId, type IssuerKind, kindOf } from './ca-id.ts'
import {
  activated,
  type Changed,
  dueForActivation,
  introduced,
  nextId,
  refuseRotation,
  requested,
  retired,
  type Wish,
} from './generation.ts'
import type { Hierarchy, Member } from './hierarchy-record.ts'
import { judgeIssuing, judgeRoot } from './judge.ts'
import { commonNameOf } from './names.ts'
import { type Introduction, succeedIssuing, succeedRoot } from './successor.ts'

/** What became of a wish: the CA as it is now, or why it was refused. */
export type RotationOutcome =
  | { readonly ok: true; readonly member: Member }
  | ({ readonly ok: false } & Refusal)

/** A key that waits for its certificate. */
export type RequestOutcome =
  | { readonly ok: true; readonly id: CaId; readonly csr: string }
  | ({ readonly ok: false } & Refusal)

/** Everything that changes the set of CAs. What has happened already is not done again and not refused. */
export interface Rotation {
  /** Makes the next CA of a kind with the root key on this machine. */
  rotate(kind: CaKind, wish: Introduction): Promise<RotationOutcome>
  /** The CA of a kind that was introduced at that moment or later, if there is one. */
  findIntroduced(kind: CaKind, sinceMs: number): Promise<Member | undefined>
  /** Makes the key of the next issuing CA for a root that is elsewhere; the same one again while it waits. */
  request(kind: IssuerKind, wish: Wish): Promise<RequestOutcome>
  /** Introduces the CA of a request with the certificates that a trusted root gave it. */
  fulfil(id: string, certificates: readonly Certificate[], wish: Introduction): Promise<RotationOutcome>
  /** Introduces a root that was made elsewhere. */
  addRoot(certificates: readonly Certificate[], wish: Introduction): Promise<RotationOutcome>
  activate(id: string, wish: Wish): Promise<RotationOutcome>
  retire(id: string, wish: Wish & { readonly force: boolean }): Promise<RotationOutcome>
  /** Activates what is due, and sees to it that every change is in audit and events. */
  refresh(now: Date): Promise<void>
}

/** Opens {@link Rotation}. Every change is committed by `authorities` and then written down by the registry. */
export function createRotation(
  authorities: Authorities,
  registry: Pick<Registry, 'countHolders' | 'eventHeads' | 'recordAuthorityChanges'>,
): Rotation {
  let recorded = 0

  /** Audit and event follow the change: a kill in between leaves it in the outbox, and any process empties that. */
  async function record(): Promise<void> {
    const { revision, changes, members } = authorities.hierarchy()
    if (revision === recorded) return
    const keyIds = new Map(members.map(({ id, certificate }) => [id, certificate?.subjectKeyId]))
    const told = changes.map((change) => {
      const subjectKeyId = keyIds.get(change.id)
      return { ...change, kind: kindOf(change.id), ...(subjectKeyId !== undefined && { subjectKeyId }) }
    })
    await registry.recordAuthorityChanges(told)
    recorded = revision
  }

  async function update(decide: Parameters<Authorities['update']>[0]): Promise<RotationOutcome> {
    // A file that was restored from a backup must not use the numbers once more that the audit has seen.
    const { authorities: seen } = await registry.eventHeads(undefined)
    const outcome = await authorities.update((hierarchy, files) =>
      decide({ ...hierarchy, revision: Math.max(hierarchy.revision, seen) }, files),
    )
    if (!outcome.ok) return outcome
    await record()
    const member = outcome.hierarchy.members.find(({ id }) => id === outcome.id)
    if (!member) throw new Error(`${outcome.id} was changed and is gone`)
    return { ok: true, member }
  }

  /** How many hold a certificate that would be worth nothing without this CA. */
  function inUse(id: string, { members }: Hierarchy, atMs: number): Promise<number> | number {
    const member = members.find((one) => one.id === id)
    if (!member || (member.state !== 'retiring' && member.state !== 'introduced')) return 0
    if (kindOf(member.id) !== 'root') return registry.countHolders({ issuer: id, nowMs: atMs })
    // Who has been here since then has been given the root that took over.
    const heir = members.find((one) => kindOf(one.id) === 'root' && one.state === 'issuing')
    if (member.state === 'introduced' || heir?.introducedAtMs === undefined) return 0
    return registry.countHolders({ issuedBeforeMs: heir.introducedAtMs, nowMs: atMs })
  }

  return {
    rotate: (kind, wish) =>
      update((hierarchy, files) =>
        kind === 'root' ? succeedRoot(hierarchy, files, wish) : succeedIssuing(kind, hierarchy, files, wish),
      ),

    findIntroduced: async (kind, sinceMs) => {
      await authorities.refresh()
      const { members } = authorities.hierarchy()
      return members.findLast(
        ({ id, introducedAtMs = 0 }) => kindOf(id) === kind && introducedAtMs >= sinceMs,
      )
    },

    request: async (kind, wish) => {
      let csr = ''
      const outcome = await update(async (hierarchy, files): Promise<Changed> => {
        const waiting = hierarchy.members.find(
          ({ id, state }) => kindOf(id) === kind && state === 'requested',
        )
        const refusal = refuseRotation(kind, hierarchy)
        if (refusal) return { ok: false, ...refusal }
        const id = waiting?.id ?? nextId(kind, hierarchy)
        const privateKey = await files.openOrMakeKey(id)
        csr = toPem('CERTIFICATE REQUEST', createCsr({ privateKey, commonName: commonNameOf(id) }))
        if (waiting) return { ok: true, changed: false, hierarchy, id }
        const publicKey = publicKeyFingerprint(createPublicKey(privateKey))
        return requested({ id, publicKey }, hierarchy, wish)
      })
      return outcome.ok ? { ok: true, id: outcome.member.id, csr } : outcome
    },

    fulfil: (id, certificates, wish) =>
      update(async (hierarchy): Promise<Changed> => {
        const member = hierarchy.members.find((one) => one.id === id)
        if (!member) return unknownAuthority(id)
        // An answer that was lost: the same certificate again changes nothing.
        const isRepeated = certificates.some(({ der }) => member.certificate?.der.equals(der))
        if (isRepeated && member.state !== 'retired') {
          return { ok: true, changed: false, hierarchy, id: member.id }
        }
        if (member.state !== 'requested') {
          return { ok: false, code: 'authority-state', detail: `id: ${id} is ${member.state}, not requested` }
        }
        const refusal = refuseRotation(kindOf(member.id), hierarchy)
        if (refusal) return { ok: false, ...refusal }
        const subjectDer = encodeName(nameOf({ commonName: commonNameOf(member.id) }))
        const judged = judgeIssuing(certificates, { ...member, subjectDer }, hierarchy, new Date(wish.atMs))
        if (!judged.ok) return judged
        const { certificate, others: cross } = judged
        return introduced({ ...member, certificate, cross }, hierarchy, wish)
      }),

    addRoot: (certificates, wish) =>
      update(async (hierarchy): Promise<Changed> => {
        // An answer that was lost: the same certificates again change nothing.
        const isSent = (one: Certificate | undefined) => certificates.some(({ der }) => one?.der.equals(der))
        const known = hierarchy.members.find(
          ({ id, state, certificate, cross }) =>
            kindOf(id) === 'root' && state !== 'retired' && isSent(certificate) && cross.some(isSent),
        )
        if (known) return { ok: true, changed: false, hierarchy, id: known.id }
        const refusal = refuseRotation('root', hierarchy)
        if (refusal) return { ok: false, ...refusal }
        const judged = judgeRoot(certificates, hierarchy, new Date(wish.atMs))
        if (!judged.ok) return judged
        const { root, newWithOld, recertified } = judged
        const added = {
          id: nextId('root', hierarchy),
          publicKey: root.publicKeyFingerprint,
          certificate: root,
          cross: [newWithOld],
        }
        return introduced(added, hierarchy, { ...wish, recertified })
      }),

    activate: (id, wish) =>
      update(async (hierarchy) => (isCaId(id) ? activated(id, hierarchy, wish) : unknownAuthority(id))),

    retire: (id, wish) =>
      update(async (hierarchy) =>
        isCaId(id)
          ? retired(id, hierarchy, { ...wish, inUse: await inUse(id, hierarchy, wish.atMs) })
          : unknownAuthority(id),
      ),

    refresh: async (now) => {
      await authorities.refresh()
      const atMs = now.getTime()
      for (const id of dueForActivation(authorities.hierarchy(), atMs)) {
        // Another process may have been first, or an operator may have retired it.
        const outcome = await update(async (hierarchy) =>
          dueForActivation(hierarchy, atMs).includes(id)
            ? activated(id, hierarchy, { atMs })
            : { ok: true, changed: false, hierarchy, id },
        )
        if (!outcome.ok) throw new Error(`cannot activate ${id}: ${outcome.detail}`)
      }
      await record()
    },
  }
}

function unknownAuthority(id: string): Extract<Changed, { ok: false }> {
  return {
    ok: false,
    code: 'authority-unknown',
    detail: `id: there is no CA ${JSON.stringify(id.slice(0, 64))}`,
  }
}
