/**
 * Why a certificate was revoked, by the names and numbers of RFC 5280 section 5.3.1. Number 7 is not used.
 * `certificateHold` is the one that can be taken back; `removeFromCRL` takes it back, in delta CRLs only.
 */
export const revocationReasons = [
  { name: 'unspecified', code: 0 },
  { name: 'keyCompromise', code: 1 },
  { name: 'cACompromise', code: 2 },
  { name: 'affiliationChanged', code: 3 },
  { name: 'superseded', code: 4 },
  { name: 'cessationOfOperation', code: 5 },
  { name: 'certificateHold', code: 6 },
  { name: 'removeFromCRL', code: 8 },
  { name: 'privilegeWithdrawn', code: 9 },
  { name: 'aACompromise', code: 10 },
] as const

/** The name of a reason in {@link revocationReasons}. */
export type RevocationReason = (typeof revocationReasons)[number]['name']

const codes = new Map<string, number>(revocationReasons.map(({ name, code }) => [name, code]))
const names = new Map<number, RevocationReason>(revocationReasons.map(({ name, code }) => [code, name]))

/** Whether a text is the name of a reason, spelled as RFC 5280 spells it. */
export function isRevocationReason(text: string): text is RevocationReason {
  return codes.has(text)
}

/** The number of a reason; undefined for a name that is none. */
export function reasonCode(reason: RevocationReason): number | undefined {
  return codes.get(reason)
}

/** The reason with this number; undefined for 7, which is not used, and for numbers above 10. */
export function reasonName(code: number): RevocationReason | undefined {
  return names.get(code)
}
