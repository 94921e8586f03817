import { createCrossCertificate, type Issuer, newSerial } from '@fleetroot/pki'
import { makeIssuing, makeRoot } from '@fleetroot/pki/testing'
import type { TestAuthority } from './authority.ts'
import type { TestCa } from './ca-bundle.ts'
import type { RegistryServer } from './registry-server.ts'

/** The next CA for devices, `devices-2`, below the same root and of the same name, introduced. */
export async function nextDevicesCa(authority: TestAuthority): Promise<TestCa> {
  const issuer = await makeIssuing(authority.rootIssuer, { commonName: 'Test Devices' })
  return { id: 'devices-2', kind: 'devices', state: 'introduced', issuer }
}

/** A root that takes the place of that of `authority`. */
export interface Succession {
  readonly root: Issuer
  /** Has the server trust both roots, with the issuing CAs below the new one. */
  readonly introduce: () => Promise<void>
  /** Has it trust the new one alone. */
  readonly complete: () => Promise<void>
}

/** Makes a root and what it takes to replace the old one with it; `proven`: with the new-with-old certificate. */
export async function succeedRoot(
  authority: TestAuthority,
  registry: RegistryServer,
  { proven = true }: { proven?: boolean } = {},
): Promise<Succession> {
  const root = await makeRoot({ commonName: 'Test Root', now: new Date(Date.now() - 86_400_000) })
  const certify = async (issuer: Issuer, subject: Issuer): Promise<Issuer> => ({
    signer: subject.signer,
    certificate: await createCrossCertificate({
      issuer,
      subject: subject.certificate,
      serial: newSerial(),
      now: new Date(),
    }),
  })
  const below: TestCa[] = []
  for (const ca of registry.cas) below.push({ ...ca, issuer: await certify(root, ca.issuer) })
  const crosses = [await certify(root, authority.rootIssuer)]
  if (proven) crosses.push(await certify(authority.rootIssuer, root))
  return {
    root,
    introduce: async () => {
      registry.roots = [root.certificate, authority.root]
      registry.cross = [
        ...crosses.map(({ certificate }) => certificate),
        ...registry.cas.map(({ issuer }) => issuer.certificate),
      ]
      await registry.announceCas(below)
    },
    complete: async () => {
      registry.roots = [root.certificate]
      registry.cross = []
      await registry.announceCas(below)
    },
  }
}
