import type { Csr, CsrField, Profile } from '@fleetroot/pki'
import type { Refusal } from '../problem/refusal.ts'

/** The channel binding of the TLS connection that a request came over, as text, or why it has none. */
export type ConnectionBinding =
  | { readonly kind: 'tls-unique' | 'tls-exporter'; readonly value: string }
  | { readonly kind: 'none'; readonly detail: string }

/** What the linking of a CSR to its connection comes to: what the report says of its fields, or a refusal for one of them. */
export type Linking =
  | { readonly ok: true; readonly fields: readonly CsrField[] }
  | ({ readonly ok: false; readonly field: LinkingAttribute } & Refusal)

type LinkingAttribute = (typeof linkingAttributes)[number]

/** Where the channel binding can stand: RFC 7030, section 3.5, and RFC 7894, section 3.3. */
const linkingAttributes = ['challengePassword', 'estIdentityLinking'] as const

/**
 * Judges the proof-of-possession linking of RFC 7030, section 3.5: a CSR that has a challengePassword, or an estIdentityLinking,
 * says by it which TLS connection it was made for. Whoever relays the CSR of another, or has its key sign in advance, cannot have
 * the right one. A wrong one is always refused, also beside a right one; a missing one where the profile requires it. The same in every
 * protocol.
 * @param binding of the connection that the request came over; undefined where the server asks for itself
 */
export function checkLinking(csr: Csr, profile: Profile, binding: ConnectionBinding | undefined): Linking {
  if (binding === undefined) return { ok: true, fields: [] }
  const how =
    binding.kind === 'none' ? binding.detail : `put the ${binding.kind} of this connection there in base64`
  const present = linkingAttributes.filter((name) => csr[name] !== undefined)
  if (present.length === 0 && profile.requireLinking) {
    const detail = `csr: profile ${profile.name} needs a challengePassword: ${how}`
    return { ok: false, field: 'challengePassword', code: 'linking-required', detail }
  }
  const wrong = present.find((name) => binding.kind === 'none' || csr[name] !== binding.value)
  if (wrong) {
    const detail = `csr: its ${wrong} is not that of this connection: ${how}, or leave it out`
    return { ok: false, field: wrong, code: 'linking-wrong', detail }
  }
  const reason = `it is the ${binding.kind} of this connection`
  return { ok: true, fields: present.map((field) => ({ field, decision: 'taken', reason })) }
}
