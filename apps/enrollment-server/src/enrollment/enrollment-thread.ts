import type { KeyObject } from 'node:crypto'
import type { Profile } from '@fleetroot/pki'
import type { Authority, IssuerName } from '../authority/authority.ts'
import type { RegistryError } from '../registry/registry-error.ts'
import type { Registry } from '../registry/registry.ts'
import { openSqliteRegistry } from '../registry/sqlite-registry.ts'
import { openThread } from '../registry/thread.ts'
import type { CertificateRequest, EnrollmentOutcome } from './request.ts'

/** What the enrollment thread starts with. A private key travels as the object that it is. */
export interface EnrollmentThreadData {
  readonly file: string
  readonly issuers: Readonly<Record<IssuerName, { certificate: Uint8Array; privateKey: KeyObject }>>
  readonly authorityKeys: ReadonlySet<string>
  readonly profiles: ReadonlyMap<string, Profile>
  readonly trustDomain: string
  readonly publicUrl: string
}

/**
 * Opens the registry with enrollment in the thread that writes it: authenticate, verify, sign and record happen
 * there, and a request costs its caller one message, shared with others when many ask (docs/decisions/0005).
 * @param onFailure called once if a thread dies by itself; nothing can be asked then
 * @throws {RegistryError} `registry-open`, `registry-newer`
 */
export async function openEnrollment(
  options: {
    readonly file: string
    readonly authority: Authority
    readonly profiles: ReadonlyMap<string, Profile>
    readonly trustDomain: string
    readonly publicUrl: string
  },
  onFailure: (error: RegistryError) => void,
): Promise<{
  readonly registry: Registry
  readonly enroll: (request: CertificateRequest, now: Date) => Promise<EnrollmentOutcome>
}> {
  const { file, authority, profiles, trustDomain, publicUrl } = options
  const issuerOf = (name: IssuerName) => {
    const { certificate, privateKey } = authority.issuers[name]
    return { certificate: new Uint8Array(certificate.der), privateKey }
  }
  const data: EnrollmentThreadData = {
    file,
    issuers: { devices: issuerOf('devices'), services: issuerOf('services') },
    authorityKeys: authority.keys,
    profiles,
    trustDomain,
    publicUrl,
  }
  const thread = await openThread(new URL('./worker.ts', import.meta.url), data, onFailure)
  const registry = await openSqliteRegistry(file, onFailure, async () => thread)
  return {
    registry,
    enroll: async ({ credential, csr, ...request }, now) => {
      // Copies: a view of a pooled Buffer would take the whole pool along.
      const copied = {
        ...request,
        csr: new Uint8Array(csr),
        credential:
          credential.kind === 'certificate'
            ? { ...credential, der: new Uint8Array(credential.der) }
            : credential,
      }
      return (await thread.ask('enroll', { request: copied, now })) as EnrollmentOutcome
    },
  }
}
