import type { Csr, CsrField, Profile } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'

/** The channel binding of the TLS connection that a request came over, as text, or why it has none. */
export type ConnectionBinding =
  | { readonly kind: 'tls-unique' | 'tls-exporter'; readonly value: string }
  | { readonly kind: 'none'; readonly detail: string }

/** What the linking of a CSR to its connection comes to: its field in the report, if it has one, or a refusal. */
export type Linking = { readonly ok: true; readonly field?: CsrField } | ({ readonly ok: false } & Refusal)

/**
 * Judges the proof-of-possession linking of RFC 7030, section 3.5: a CSR that has a challengePassword says by it which TLS
 * connection it was made for. Whoever relays the CSR of another, or has its key sign in advance, cannot have the right one.
 * A wrong one is always refused, a missing one where the profile requires it. The same in every protocol.
 * @param binding of the connection that the request came over; undefined where the server asks for itself
 */
export function checkLinking(csr: Csr, profile: Profile, binding: ConnectionBinding | undefined): Linking {
  const { challengePassword } = csr
  if (binding === undefined) return { ok: true }
  const how =
    binding.kind === 'none' ? binding.detail : `put the ${binding.kind} of this connection there in base64`
  if (challengePassword === undefined) {
    if (!profile.requireLinking) return { ok: true }
    const detail = `csr: profile ${profile.name} needs a challengePassword: ${how}`
    return { ok: false, code: 'linking-required', detail }
  }
  if (binding.kind !== 'none' && challengePassword === binding.value) {
    const reason = `it is the ${binding.kind} of this connection`
    return { ok: true, field: { field: 'challengePassword', decision: 'taken', reason } }
  }
  const detail = `csr: its challengePassword is not that of this connection: ${how}, or leave it out`
  return { ok: false, code: 'linking-wrong', detail }
}
