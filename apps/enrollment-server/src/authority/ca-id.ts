/** What an issuing CA is for, as profiles name it. */
export type IssuerKind = 'devices' | 'services'

/** What a CA is for. */
export type CaKind = 'root' | IssuerKind

/** An issuing CA: `devices`, and from the second generation on `devices-2`, … It is in file names, URLs and records. */
export type IssuerId = IssuerKind | `${IssuerKind}-${number}`

/** A CA, the root included. An id is used once: a CA that is retired keeps it for ever. */
export type CaId = IssuerId | 'root' | `root-${number}`

/** Every kind of issuing CA. */
export const issuerKinds = ['devices', 'services'] as const

/** Every kind of CA. */
export const caKinds = ['root', ...issuerKinds] as const

/** True for the id of a CA: a kind, or a kind with a number from 2 on. */
export function isCaId(text: string): text is CaId {
  return /^(?:root|devices|services)(?:-(?:[2-9]|[1-9]\d{1,5}))?$/.test(text)
}

/** True for the id of an issuing CA. */
export function isIssuerId(text: string): text is IssuerId {
  return isCaId(text) && kindOf(text) !== 'root'
}

/** What a CA is for, from its id. */
export function kindOf(id: IssuerId): IssuerKind
export function kindOf(id: CaId): CaKind
export function kindOf(id: CaId): CaKind {
  return id.split('-')[0] as CaKind
}

/** Which of its kind a CA is, from 1 on. */
export function generationOf(id: CaId): number {
  return Number(id.split('-')[1] ?? 1)
}

/** The id of the next CA of a kind, after all that there ever were. */
export function nextCaId(kind: IssuerKind, known: readonly CaId[]): IssuerId
export function nextCaId(kind: CaKind, known: readonly CaId[]): CaId
export function nextCaId(kind: CaKind, known: readonly CaId[]): CaId {
  const newest = Math.max(0, ...known.filter((id) => kindOf(id) === kind).map(generationOf))
  return newest === 0 ? kind : `${kind}-${newest + 1}`
}
