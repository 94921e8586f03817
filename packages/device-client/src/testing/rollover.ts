import { type Certificate, createCrossCertificate, type Issuer, newSerial } from '@fleetroot/pki'

import { type Authority, authorityOf, createRoot, type Leaf } from './authority.ts'

/** A root that takes the place of another; the issuing CAs keep their keys. */
export interface Rollover {
  old: Authority
  next: Authority
  newWithOld: Certificate
  oldWithNew: Certificate
  /** What cacerts holds while both roots are trusted. */
  transition: Certificate[]
  /** A server certificate with the chain that leads to either root. */
  server(): Promise<Leaf>
}

/** Replaces the root of `old`, as the enrollment server does. */
export async function rollOver(old: Authority): Promise<Rollover> {
  const root = await createRoot(86_400_000)
  const certify = async (issuer: Issuer, subject: Certificate): Promise<Certificate> =>
    createCrossCertificate({ issuer, subject, serial: newSerial(), now: new Date() })
  const below = async ({ certificate, signer }: Issuer): Promise<Issuer> => ({
    certificate: await certify(root, certificate),
    signer,
  })
  const next = authorityOf(root, await below(old.devices), await below(old.services))
  const newWithOld = await certify(old.rootIssuer, root.certificate)
  const oldWithNew = await certify(root, old.root)
  return {
    old,
    next,
    newWithOld,
    oldWithNew,
    transition: [...old.all, ...next.all, newWithOld, oldWithNew],
    async server() {
      const leaf = await next.server()
      return { ...leaf, cert: leaf.cert + newWithOld.pem }
    },
  }
}
