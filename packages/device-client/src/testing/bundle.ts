import type { Certificate } from '@fleetroot/pki'

import type { AuthorityKind, CaAuthority, CaBundle } from '../authorities/ca-bundle.ts'
import type { Authority } from './authority.ts'

/** What an enrollment server says of `authority` at `/v1/ca`. */
export function bundleOf({ root, devices, services }: Authority): CaBundle {
  return {
    root: root.pem,
    roots: [root.pem],
    cross: [],
    issuers: { devices: [devices.certificate.pem], services: [services.certificate.pem] },
    authorities: [
      entry('root', root),
      entry('devices', devices.certificate),
      entry('services', services.certificate),
    ],
    trustDomain: 'fleet.test',
  }
}

function entry(kind: AuthorityKind, certificate: Certificate): CaAuthority {
  return {
    id: kind,
    kind,
    state: 'issuing',
    subjectKeyId: certificate.subjectKeyId ?? '',
    notBefore: certificate.notBefore.toISOString(),
    notAfter: certificate.notAfter.toISOString(),
    certificate: certificate.pem,
  }
}
