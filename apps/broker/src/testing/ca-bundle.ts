import type { CaAuthority, CaBundle } from '@fleetroot/device-client'
import type { Certificate, Issuer } from '@fleetroot/pki'

/** An issuing CA as the server knows it. */
export interface TestCa extends Pick<CaAuthority, 'id' | 'kind' | 'state'> {
  readonly issuer: Issuer
}

/** What an enrollment server says of its CAs. */
export function caBundle({
  roots,
  cross,
  cas,
  trustDomain,
}: {
  readonly roots: readonly Certificate[]
  readonly cross: readonly Certificate[]
  readonly cas: readonly TestCa[]
  readonly trustDomain: string
}): CaBundle {
  const pems = (kind: string): string[] =>
    cas.filter((ca) => ca.kind === kind).map(({ issuer }) => issuer.certificate.pem)
  return {
    root: roots[0]!.pem,
    roots: roots.map(({ pem }) => pem),
    cross: cross.map(({ pem }) => pem),
    issuers: { devices: pems('devices'), services: pems('services') },
    authorities: [
      ...roots.map((root, at) =>
        entryOf({
          id: at === 0 ? 'root' : `root-${at + 1}`,
          kind: 'root',
          state: at === 0 ? 'issuing' : 'introduced',
          certificate: root,
        }),
      ),
      ...cas.map((ca) => entryOf({ ...ca, certificate: ca.issuer.certificate })),
    ],
    trustDomain,
  }
}

function entryOf({
  id,
  kind,
  state,
  certificate,
}: Pick<CaAuthority, 'id' | 'kind' | 'state'> & { certificate: Certificate }): CaAuthority {
  return {
    id,
    kind,
    state,
    subjectKeyId: certificate.subjectKeyId ?? '',
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    certificate: certificate.pem,
  }
}
