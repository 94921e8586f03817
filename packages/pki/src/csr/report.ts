/** What became of one field of a CSR. */
export interface CsrField {
  /**
   * `subject`, `publicKey`, `challengePassword`, `estIdentityLinking`, an extension by its name in RFC 5280 (`keyUsage`, `subjectAltName`, …), or
   * `extension` and `attribute` with a dotted object identifier.
   */
  readonly field: string
  /**
   * `taken`: what was asked for is in the certificate. `overridden`: the certificate has something else there, or nothing.
   * `refused`: it may not be asked for.
   */
  readonly decision: CsrFieldDecision
  /** One sentence, where the decision does not say it all. */
  readonly reason?: string
}

/** What a field of a CSR can become. */
export const csrFieldDecisions = ['taken', 'overridden', 'refused'] as const

/** One of {@link csrFieldDecisions}. */
export type CsrFieldDecision = (typeof csrFieldDecisions)[number]

/** The report with one field replaced, or added at the end where it is not there. */
export function withField(fields: readonly CsrField[], changed: CsrField): CsrField[] {
  const others = fields.map((known) => (known.field === changed.field ? changed : known))
  return others.includes(changed) ? others : [...others, changed]
}
